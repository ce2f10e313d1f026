// The embedded model in WebAssembly beside libonnxruntime on one thread: `deno run -A bench/wasm_bench.ts [ROUNDS] [--json]`. Processes run
// in turns; figures are medians, but for a line, whose least time counts: what disturbs it only adds.
import { type BackendName, Captioner, readImage } from "../mod.ts";

const root = new URL("../", import.meta.url);
const picture = "assets/examples/line.png";

/** What one process gives. */
interface Round {
  /** Milliseconds from the start of the process to its first text. */
  readonly first: number;
  /** MB of memory that is not a file's, at the first text and at most. */
  readonly anonymous: number;
  readonly peak: number;
  /** Milliseconds for a line in the warm process. */
  readonly line: number;
}

function anonymousMemory(): number {
  const status = Deno.readTextFileSync("/proc/self/status");
  return Number(/RssAnon:\s+(\d+)/.exec(status)?.[1] ?? 0) / 1024;
}

/** Read a line again and again. A line of JSON at the first text, and one at the end. */
async function read(backend: BackendName): Promise<void> {
  await using captioner = await Captioner.load(undefined, { backend, threads: 1 });
  const image = await readImage(new URL(picture, root));
  await captioner.caption(image);
  let peak = anonymousMemory();
  console.log(JSON.stringify({ anonymous: peak }));
  let line = Infinity;
  for (let i = 0; i < 40; i++) {
    const began = performance.now();
    await captioner.caption(image);
    line = Math.min(line, performance.now() - began);
    peak = Math.max(peak, anonymousMemory());
  }
  console.log(JSON.stringify({ peak, line }));
}

async function measure(backend: string): Promise<Round> {
  const began = performance.now();
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--quiet", "--no-check", import.meta.url, "--of", backend],
    stdin: "null",
    stdout: "piped",
    stderr: "null",
  }).spawn();
  let [text, first] = ["", 0];
  for await (const part of child.stdout.pipeThrough(new TextDecoderStream())) {
    first ||= performance.now() - began;
    text += part;
  }
  if (!(await child.status).success) throw new Error(`Cannot measure ${backend}: its process failed`);
  const found = text.trim().split("\n").map((line) => JSON.parse(line));
  return Object.assign({ first }, ...found);
}

const median = (values: readonly number[]) => values.toSorted((a, b) => a - b)[values.length >> 1];

async function main(rounds: number): Promise<void> {
  const found: Record<"wasm" | "ffi", Round[]> = { wasm: [], ffi: [] };
  for (let round = 0; round < rounds; round++) {
    for (const backend of ["wasm", "ffi"] as const) found[backend].push(await measure(backend));
  }
  if (Deno.args.includes("--json")) {
    const summary = (all: Round[]) => ({
      first: median(all.map(({ first }) => first)),
      peak: median(all.map(({ peak }) => peak)),
      line: Math.min(...all.map(({ line }) => line)),
    });
    return console.log(JSON.stringify({ wasm: summary(found.wasm), ffi: summary(found.ffi) }));
  }
  const row = (name: string, ...cells: string[]) =>
    console.log([name.padEnd(24), ...cells.map((cell) => cell.padStart(12))].join(""));
  row("", "wasm", "ffi", "ratio", "limit");
  const figures = [
    ["first text, ms", "first", median, "1500 ms"],
    ["memory then, MB", "anonymous", median, "250 MB"],
    ["memory at most, MB", "peak", median, ""],
    ["a line, ms", "line", (values: readonly number[]) => Math.min(...values), "6 x"],
  ] as const;
  for (const [name, key, summary, limit] of figures) {
    const [wasm, ffi] = [found.wasm, found.ffi].map((all) => summary(all.map((each) => each[key])));
    row(name, wasm.toFixed(0), ffi.toFixed(0), (wasm / ffi).toFixed(2), limit);
  }
}

if (Deno.args[0] === "--of") await read(Deno.args[1] as BackendName);
else await main(Number(Deno.args[0] ?? 5));
