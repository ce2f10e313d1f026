// Limner beside its peers in one table: `deno run -A bench/peers/mod.ts [PART...] [--folder FOLDER] [--python PYTHON] [--exporter
// PYTHON] [--rounds 3] [--pictures 100] [--loads 500]`, on Linux. Parts are vit_gpt2, trocr, command, lines, logits, devices,
// wasm, lives and files; without any, all run. The models are written to the folder (12 GB), and kept there if it is given. PYTHON has PyTorch and
// Transformers 5.23; the exporter optimum-onnx 0.1.0 with Transformers 4.57.6; node, npm and tesseract are found by their names.
// What was measured is kept as ratios in bench/results, and drawn as docs/peers.svg.
import type { Programs } from "./engines.ts";
import { deviceLogitsRows } from "./device_logits.ts";
import { trocrRows, vitGpt2Rows } from "./generation.ts";
import { logitsRows } from "./logits.ts";
import { commandRows, fileRows, lineRows, livesRows, wasmRows } from "./others.ts";
import { drawingOf, type Row, tableOf } from "./rows.ts";
import { isThere } from "./full_size.ts";

const root = new URL("../../", import.meta.url);
const results = new URL("bench/results/", root);

const args = [...Deno.args];

/** Take the value of an option out of the arguments. */
function option(name: string, otherwise: string): string {
  const at = args.indexOf(`--${name}`);
  return at < 0 ? otherwise : args.splice(at, 2)[1];
}

const given = option("folder", "");
const programs: Programs = {
  python: option("python", "python3"),
  exporter: option("exporter", "python3"),
  node: "node",
};
const [rounds, pictures, loads] = [["rounds", "3"], ["pictures", "100"], ["loads", "500"]].map(([name, value]) =>
  Number(option(name, value))
);

const folder = given || await Deno.makeTempDir({ prefix: "limner_peers_" });
const request = { folder, programs, rounds, pictures };
const parts: Readonly<Record<string, () => Promise<Row[]>>> = {
  vit_gpt2: () => vitGpt2Rows(request),
  trocr: () => trocrRows(request),
  command: () => commandRows(rounds),
  lines: lineRows,
  logits: () => logitsRows(folder),
  devices: () => deviceLogitsRows(folder, programs.python),
  wasm: () => wasmRows(rounds),
  lives: () => livesRows(loads),
  files: fileRows,
};

const unknown = args.find((part) => !Object.hasOwn(parts, part));
if (unknown !== undefined) {
  console.error(`Cannot measure "${unknown}": expected some of ${Object.keys(parts).join(", ")}`);
  Deno.exit(2);
}
await Deno.mkdir(results, { recursive: true });
try {
  for (const part of args.length > 0 ? args : Object.keys(parts)) {
    const rows = await parts[part]();
    console.log(tableOf(rows));
    await Deno.writeTextFile(new URL(`${part}.json`, results), `${JSON.stringify(rows, null, 2)}\n`);
  }
} finally {
  if (!given) await Deno.remove(folder, { recursive: true });
}
const all: Row[] = [];
// How far logits are off is far below its limit, and no peer's figure.
for (const part of Object.keys(parts).filter((part) => part !== "devices")) {
  const file = new URL(`${part}.json`, results);
  if (await isThere(file.pathname)) all.push(...JSON.parse(await Deno.readTextFile(file)));
}
await Deno.writeTextFile(new URL("docs/peers.svg", root), drawingOf(all));
