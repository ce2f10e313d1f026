// How fast the backends are: `deno task bench [BACKEND...]`. One row a case, one column a backend.
import { availableBackends, type BackendName, loadBackend } from "../mod.ts";
import { timeLine } from "./line.ts";
import { operatorBenches, timeOperator } from "./operators.ts";

const asked = new Set(Deno.args);
const rows = new Map<string, Map<BackendName, string>>();
const columns: BackendName[] = [];

function enter(name: string, backend: BackendName, value: number, unit: string): void {
  const row = rows.get(name) ?? new Map();
  rows.set(name, row.set(backend, `${value.toPrecision(3)} ${unit}`));
}

for (const { name, available, reason } of await availableBackends()) {
  if (asked.size > 0 && !asked.has(name)) continue;
  if (!available) {
    console.log(`${name}: not here: ${reason}`);
    continue;
  }
  await using backend = await loadBackend(name);
  console.log(`${name}: ${backend.device}`);
  columns.push(name);
  for (const bench of operatorBenches) enter(bench.name, name, await timeOperator(backend, bench), bench.unit);
  enter("line_embedded_24_characters", name, await timeLine(backend), "ms");
}

const width = Math.max(0, ...[...rows.keys()].map((name) => name.length));
console.log(["\n" + "case".padEnd(width), ...columns.map((name) => name.padStart(15))].join("  "));
for (const [name, row] of rows) {
  console.log([name.padEnd(width), ...columns.map((column) => (row.get(column) ?? "").padStart(15))].join("  "));
}
