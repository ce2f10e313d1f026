// Rows that need no peer of generation: the command beside Tesseract, the lines, WebAssembly, lives, and files that change.
import { loadBackend, Tensor, VisionEncoderDecoderModel } from "../../mod.ts";
import { readLines } from "./lines.ts";
import { ownMemory, runProcess } from "./processes.ts";
import { type Row, row } from "./rows.ts";

const root = new URL("../../", import.meta.url).pathname;
const line = "assets/examples/line.png";

/** The middle of some values. */
export function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1];
}

/** The whole process of the command beside Tesseract's, in turns. */
export async function commandRows(rounds: number): Promise<Row[]> {
  const times: Record<"ours" | "theirs", number[]> = { ours: [], theirs: [] };
  const ours = ["run", "-A", "--quiet", "caption.ts", line];
  for (let round = 0; round < 3 * rounds + 1; round++) {
    const pair = [
      (await runProcess(Deno.execPath(), ours, root)).whole,
      (await runProcess("tesseract", [line, "-", "--psm", "7"], root)).whole,
    ];
    if (round === 0) continue; // it fills caches
    times.ours.push(pair[0]);
    times.theirs.push(pair[1]);
  }
  return [row("caption.ts line.png, whole process", "x tesseract", median(times.ours) / median(times.theirs), "<= 2")];
}

/** Characters that are read wrong in fewer bits, in points more than float32's. */
export async function lineRows(): Promise<Row[]> {
  const [whole, q8, q4] = await readLines();
  const more = (wrong: number) => 100 * (wrong - whole.wrong);
  const changed = (count: number) => `${count} of ${whole.texts} texts changed`;
  return [
    row("lines, q8: characters wrong", "points over float32", more(q8.wrong), "<= 0.1", changed(q8.changed)),
    row("lines, q4: characters wrong", "points over float32", more(q4.wrong), "<= 0.5", changed(q4.changed)),
  ];
}

/** How many tests of some files passed. @throws {Error} If one failed. */
async function passed(files: readonly string[], filter?: string): Promise<number> {
  const args = ["test", "-A", "--no-check", "--quiet", ...(filter ? ["--filter", filter] : []), ...files];
  const { success, stdout } = await new Deno.Command(Deno.execPath(), { args, cwd: root, stderr: "null" }).output();
  const text = new TextDecoder().decode(stdout);
  if (!success) throw new Error(`deno ${args.join(" ")} failed: ${text.slice(-2000)}`);
  return Number(/(\d+) passed/.exec(text)?.[1] ?? 0);
}

/** WebAssembly: its tests, and its cost beside ffi's on one thread. */
export async function wasmRows(rounds: number): Promise<Row[]> {
  const args = ["run", "-A", "--quiet", "--no-check", `${root}bench/wasm_bench.ts`, `${2 * rounds + 1}`, "--json"];
  const { lines } = await runProcess(Deno.execPath(), args);
  const { wasm, ffi } = lines.at(-1) as unknown as Record<"wasm" | "ffi", Record<string, number>>;
  return [
    row(
      "wasm: tests of ffi's fixtures",
      "passed, all",
      await passed(["tests/backends/wasm/conformance_test.ts"]),
      ">= 1",
    ),
    row("wasm: start to first text", "s", wasm.first / 1000, "<= 1.5"),
    row("wasm: memory at most", "MB", wasm.peak, "<= 250"),
    row("wasm: a line", "x ffi on one thread", wasm.line / ffi.line, "<= 6"),
  ];
}

/** Load and dispose again and again: what lives after 50 and at the end, and the process's own memory. */
export async function livesRows(loads: number): Promise<Row[]> {
  const model = new URL("../../assets/model/", import.meta.url);
  await using backend = await loadBackend("ffi");
  const lives: [handles: number, bytes: number][] = [];
  const memory: number[] = [];
  for (let count = 1; count <= loads; count++) {
    const stop = new AbortController();
    const loaded = await VisionEncoderDecoderModel.fromPretrained(model, { backend });
    const running = loaded.generate(pixels(loaded), { maxNewTokens: 6, signal: stop.signal });
    if (count % 3 === 0) setTimeout(() => stop.abort());
    const disposal = count % 5 === 0 ? loaded[Symbol.asyncDispose]() : undefined; // while it writes
    await running.catch((error) => {
      if (!stop.signal.aborted && !disposal) throw error;
    });
    await loaded[Symbol.asyncDispose](); // a second time, where it was released already
    await disposal;
    memory.push(ownMemory("self"));
    if (count === 50 || count === loads) lives.push([backend.counters.liveHandles, backend.counters.deviceBytes]);
  }
  const [early, late] = lives;
  const [before, after] = [memory.slice(50, 100), memory.slice(-50)].map(median);
  return [
    row(`${loads} loads: live handles`, "more than after 50", late[0] - early[0], "<= 0"),
    row(`${loads} loads: bytes held`, "more than after 50", late[1] - early[1], "<= 0"),
    row(`${loads} loads: memory`, "x (loads 50 to 100 + 10 MB)", after / (before + 10e6), "<= 1.05"),
  ];
}

function pixels(model: VisionEncoderDecoderModel): Tensor {
  const [height, width] = [model.config.encoder.image_size].flat().slice(-2) as number[];
  const channels = model.config.encoder.num_channels as number;
  const size = [1, channels, height, width ?? height];
  return new Tensor("float32", size, new Float32Array(size.reduce((a, b) => a * b)).fill(0.5));
}

/** Files under a model that are replaced, cut or deleted. */
export async function fileRows(): Promise<Row[]> {
  const count = await passed(["tests/backends/ffi/weights_test.ts", "tests/hub", "tests/checkpoint"], "replace");
  return [row("files replaced under a model: tests", "passed, all", count, ">= 1")];
}
