// The tests of what runs on a GPU, and a table of speeds, on the GPU of whoever asks: `deno task test:gpu [FOLDER]`. The result
// file, gpu-results.json in the folder, names the adapter, which suites passed, and how fast the kernels and the device are. It
// runs what is there of the suites below, so that more can be added.
import { describeSpeed } from "../../backends/measured/faster_backend.ts";
import { measureRates } from "../../backends/measured/measure_rates.ts";
import { inspect, loadWithProfile } from "../../backends/webgpu/mod.ts";
import { operatorBenches, timeOperator } from "../../bench/operators.ts";
import { writeFileAtomically } from "../../src/hub/atomic_file.ts";
import { type Counts, countTests } from "../count_tests.ts";
import { type ModelSpeed, timeModel } from "./model_speeds.ts";

/** The suites, by path from the project's root. */
const suites = [
  "tests/backends/webgpu",
  "tests/backends/ffi/gpu_suite.ts",
  "tests/backends/choose_faster_test.ts",
  "tests/generation/reads_in_flight_test.ts",
];

const root = new URL("../../", import.meta.url);
const folder = Deno.args[0] ?? ".";
const adapter = await inspect();
console.log(`on ${adapter.description ?? adapter.device ?? adapter.vendor}`);

const tests: Record<string, Counts & { readonly seconds: number } | "did not start"> = {};
for (const suite of suites) {
  if (!await isThere(new URL(suite, root))) continue;
  console.log(`== ${suite}`);
  const began = performance.now();
  const child = new Deno.Command(Deno.execPath(), {
    args: ["test", "-A", "--quiet", "--no-check", suite],
    cwd: root,
    stdin: "null",
    stdout: "piped",
  }).spawn();
  const counts = await countTests(child.stdout);
  await child.status;
  tests[suite] = counts ? { ...counts, seconds: Math.round((performance.now() - began) / 1000) } : "did not start";
}

console.log("== speeds");
await using backend = await loadWithProfile();
const speeds: Record<string, string> = {};
for (const bench of operatorBenches) {
  speeds[bench.name] = `${(await timeOperator(backend, bench)).toPrecision(3)} ${bench.unit}`;
  console.log(`${bench.name.padEnd(40)} ${speeds[bench.name]}`);
}

const models: ModelSpeed[] = [];
for (const dtype of ["float32", "float16"] as const) {
  const speed = await timeModel(backend, dtype);
  const [picture, token] = [speed.picture, speed.token].map((time) => `${time.toFixed(2)} ms`);
  console.log(
    `${dtype}, caches ${speed.cacheType}: a picture ${picture}, a token ${token}, ${speed.bytes} bytes beside weights`,
  );
  models.push(speed);
}

// What "auto" would choose by.
const rates = await measureRates(backend);
console.log(describeSpeed(rates));
const results = { adapter, deno: Deno.version.deno, date: new Date().toISOString(), tests, speeds, models, rates };
await writeFileAtomically(folder, "gpu-results.json", JSON.stringify(results, null, 2));
console.log(`written to ${folder}/gpu-results.json`);
const failed = Object.values(tests).some((counts) => counts === "did not start" || counts.failed > 0);
Deno.exit(failed ? 1 : 0);

async function isThere(path: URL): Promise<boolean> {
  try {
    await Deno.stat(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}
