// Run by weights_test.ts in a process of its own: one program, then two, on the same weights in a file, loaded with `lowMemory` as
// the argument says. Prints by how many bytes the process's own memory grew with each, as JSON.
import { load } from "../../../backends/ffi/mod.ts";
import { assertClose } from "../../conformance/closeness.ts";
import { memorySource } from "../../conformance/execute.ts";
import { numbers } from "../../conformance/repeatable_numbers.ts";
import { memory } from "../../process_cost.ts";
import { Files, runner } from "./weight_files.ts";

const width = 4096;
const bytes = 4 * width * width;
const x = numbers(6, 1, width);
await using files = new Files();
await files.put("large", numbers(5, width, width), `${await files.folder()}/model.safetensors`, 1024);
await using backend = await load();
const [lowMemory] = Deno.args.map((text): boolean | undefined => JSON.parse(text) ?? undefined);
using weights = await backend.open(files, { lowMemory });
// The rest of ONNX Runtime is in memory before the first measurement.
{
  const source = memorySource({ small: numbers(7, 8, 8) });
  using other = await backend.open(source);
  using warm = await runner(backend, other, source, ["small"], numbers(8, 1, 8));
  await warm();
}
const before = memory().own;
using one = await runner(backend, weights, files, ["large"], x);
const expected = await one();
const once = memory().own - before;
assertClose(await one(), expected, 1e-6, "the second run");
const again = memory().own - before;
using two = await runner(backend, weights, files, ["large"], x);
for (let run = 0; run < 2; run++) {
  assertClose(await two(), expected, 1e-6, "the second program");
  assertClose(await one(), expected, 1e-6, "the first program, beside it");
}
const both = memory().own - before;
console.log(JSON.stringify({ once, again, both, weightBytes: backend.counters.weightBytes, bytes }));
