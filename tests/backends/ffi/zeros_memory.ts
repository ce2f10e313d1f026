// Run by zeros_test.ts in a process of its own: buffers of so many bytes each, with `lowMemory` or not, as the arguments say. Prints
// by how many bytes the process's own memory grew when they were made, and when the first half of each was written, as JSON.
import { load } from "../../../backends/ffi/mod.ts";
import { memory } from "../../process_cost.ts";

const [lowMemory, bytes, buffers] = Deno.args.map((text) => JSON.parse(text));
const written = new Float32Array(bytes / 8).fill(1);
await using backend = await load();
await backend.open(new Map(), { lowMemory }).then((weights) => weights[Symbol.dispose]());
using stream = backend.stream();
// The code that follows is compiled and in memory before the first measurement.
{
  using buffer = backend.allocate("float32", [bytes / 4]);
  stream.write(buffer, written);
}
const before = memory().own;
using kept = new DisposableStack();
const all = Array.from({ length: buffers }, () => kept.use(backend.allocate("float32", [bytes / 4])));
const made = memory().own - before;
for (const buffer of all) stream.write(buffer, written);
console.log(JSON.stringify({ made, halfWritten: memory().own - before }));
