// The embedded model in WebAssembly beside libonnxruntime on one thread: `deno run -A bench/wasm_bench.ts [ROUNDS] [--json]`. Processes run
// in turns, each watched from outside: V8 needs most memory where it optimises code, on threads of its own and for a moment. Of
// the starts the middle one counts, of memory the most that any process had, of lines the least time: what disturbs only adds.
import { type BackendName, Captioner, readImage } from "../mod.ts";
import { runProcess } from "./peers/processes.ts";

const root = new URL("../", import.meta.url);
const picture = "assets/examples/line.png";

/** What the processes of one backend gave. */
interface Summary {
  /** Milliseconds from the start of a process to its first text. */
  readonly first: number;
  /** The most MB of memory that is not a file's. */
  readonly peak: number;
  /** Milliseconds for a line in a warm process. */
  readonly line: number;
}

/** Read a line again and again: a line of JSON at the first text, and one at the end. */
async function read(backend: BackendName): Promise<void> {
  await using captioner = await Captioner.load(undefined, { backend, threads: 1 });
  const image = await readImage(new URL(picture, root));
  console.log(JSON.stringify({ text: await captioner.caption(image) }));
  let line = Infinity;
  for (let i = 0; i < 40; i++) {
    const began = performance.now();
    await captioner.caption(image);
    line = Math.min(line, performance.now() - began);
  }
  console.log(JSON.stringify({ line }));
}

async function measure(backend: string): Promise<Summary> {
  const script = ["run", "-A", "--quiet", "--no-check", import.meta.url];
  const { first, peak, lines } = await runProcess(Deno.execPath(), [...script, "--of", backend]);
  return { first, peak: peak / 1e6, line: lines.at(-1)!.line };
}

const median = (values: readonly number[]) => values.toSorted((a, b) => a - b)[values.length >> 1];

function summary(found: readonly Summary[]): Summary {
  const [first, peak, line] = (["first", "peak", "line"] as const).map((key) => found.map((each) => each[key]));
  return { first: median(first), peak: Math.max(...peak), line: Math.min(...line) };
}

async function main(rounds: number): Promise<void> {
  const found: Record<"wasm" | "ffi", Summary[]> = { wasm: [], ffi: [] };
  for (let round = 0; round < rounds; round++) {
    for (const backend of ["wasm", "ffi"] as const) found[backend].push(await measure(backend));
  }
  const [wasm, ffi] = [summary(found.wasm), summary(found.ffi)];
  if (Deno.args.includes("--json")) return console.log(JSON.stringify({ wasm, ffi }));
  const row = (name: string, ...cells: string[]) =>
    console.log([name.padEnd(24), ...cells.map((cell) => cell.padStart(12))].join(""));
  row("", "wasm", "ffi", "ratio", "limit");
  const figures = [
    ["first text, ms", "first", "1500 ms"],
    ["memory at most, MB", "peak", "250 MB"],
    ["a line, ms", "line", "6 x"],
  ] as const;
  for (const [name, key, limit] of figures) {
    row(name, wasm[key].toFixed(0), ffi[key].toFixed(0), (wasm[key] / ffi[key]).toFixed(2), limit);
  }
}

if (Deno.args[0] === "--of") await read(Deno.args[1] as BackendName);
else await main(Number(Deno.args[0] ?? 5));
