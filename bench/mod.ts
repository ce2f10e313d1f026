// How fast the backends are: `deno task bench [BACKEND...]`. A row a case; beside each rate how many times it is PyTorch's
// in the same run, or, where python3 has no torch, what part of the memory's bandwidth.
import { availableBackends, type BackendName, loadBackend } from "../mod.ts";
import { timeLine } from "./line.ts";
import { operatorBenches, timeOperator } from "./operators.ts";
import { readBandwidth, torchRates } from "./peers/limits.ts";

const asked = new Set(Deno.args);
const rows = new Map<string, Map<string, string>>();
const columns: string[] = ["memory", "PyTorch"];

function enter(name: string, column: string, text: string): void {
  const row = rows.get(name) ?? new Map();
  rows.set(name, row.set(column, text));
}

const bandwidth = await readBandwidth();
const torch = await torchRates(operatorBenches);
const peers = operatorBenches.map(({ unit }, i) => torch[i] ?? (unit === "GB/s" ? bandwidth : undefined));
operatorBenches.forEach(({ name, unit }, i) => {
  if (unit === "GB/s") enter(name, "memory", `${bandwidth.toPrecision(3)} ${unit}`);
  if (torch[i]) enter(name, "PyTorch", `${torch[i].toPrecision(3)} ${unit}`);
});

async function benchBackend(name: BackendName): Promise<void> {
  await using backend = await loadBackend(name);
  console.log(`${name}: ${backend.device}`);
  columns.push(name);
  for (const [i, bench] of operatorBenches.entries()) {
    const rate = await timeOperator(backend, bench);
    const ratio = peers[i] ? ` ${(rate / peers[i]).toFixed(2)}x` : "";
    enter(bench.name, name, `${rate.toPrecision(3)} ${bench.unit}${ratio}`);
  }
  enter("line_embedded_24_characters", name, `${(await timeLine(backend)).toPrecision(3)} ms`);
}

for (const { name, available, reason } of await availableBackends()) {
  if (asked.size > 0 && !asked.has(name)) continue;
  if (available) await benchBackend(name);
  else console.log(`${name}: not here: ${reason}`);
}

const width = Math.max(0, ...[...rows.keys()].map((name) => name.length));
const line = (first: string, cells: string[]) =>
  [first.padEnd(width), ...cells.map((cell) => cell.padStart(20))].join(" ");
console.log("\n" + line("case", columns));
for (const [name, row] of rows) console.log(line(name, columns.map((column) => row.get(column) ?? "")));
