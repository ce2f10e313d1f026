// Run by weights_test.ts in a process of its own: one program, then two, on the same weights in a file, loaded with `lowMemory` as
// the argument says. Prints by how many bytes the process's own memory grew with each, as JSON.
import { load } from "../../../backends/ffi/mod.ts";
import { assertClose } from "../../conformance/closeness.ts";
import { memorySource } from "../../conformance/execute.ts";
import { numbers } from "../../conformance/repeatable_numbers.ts";
import { Files, runner } from "./weight_files.ts";

/** The bytes of this process that are not pages of a file. */
function ownMemory(): number {
  return 1024 * Number(/RssAnon:\s+(\d+)/.exec(Deno.readTextFileSync("/proc/self/status"))![1]);
}

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
const before = ownMemory();
using one = await runner(backend, weights, files, ["large"], x);
const expected = await one();
const once = ownMemory() - before;
assertClose(await one(), expected, 1e-6, "the second run");
const again = ownMemory() - before;
using two = await runner(backend, weights, files, ["large"], x);
for (let run = 0; run < 2; run++) {
  assertClose(await two(), expected, 1e-6, "the second program");
  assertClose(await one(), expected, 1e-6, "the first program, beside it");
}
const both = ownMemory() - before;
console.log(JSON.stringify({ once, again, both, weightBytes: backend.counters.weightBytes, bytes }));
