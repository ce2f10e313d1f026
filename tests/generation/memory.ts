// Run by memory_test.ts in a process of its own, with --expose-gc: many generations, every third of them aborted. Prints what
// the process held after 80 of them and after 260, as JSON.
import { type BackendName, loadBackend, type Tensor, VisionEncoderDecoderModel } from "../../mod.ts";
import { readTensors } from "../conformance/read_golden.ts";

const folder = new URL("../fixtures/models/vit_gpt2_captioning/", import.meta.url);
const pixels: Tensor = (await readTensors(new URL("golden.safetensors", folder))).get("pixel_values")!;
/** Ten generations of each in turn. */
const methods = [{}, { numBeams: 3, minNewTokens: 3 }];

await using backend = await loadBackend(Deno.args[0] as BackendName);
await using model = await VisionEncoderDecoderModel.fromPretrained(folder, { backend });

const held: { resident: number; counted: number[] }[] = [];
for (let count = 1; count <= 260; count++) {
  const stop = new AbortController();
  const stops = (tokens: readonly number[]) => {
    if (count % 3 === 0 && tokens.length === 4) stop.abort();
    // Rows end at different times.
    return tokens[tokens.length - 1] % 11 === 0;
  };
  const options = { maxNewTokens: 12, ...methods[Math.floor(count / 10) % 2], stoppingCriteria: [stops] };
  await model.generate(pixels, { ...options, signal: stop.signal }).catch((error) => {
    if (!stop.signal.aborted) throw error;
  });
  if (count !== 80 && count !== 260) continue;
  (globalThis as unknown as { gc(): void }).gc();
  await new Promise((resolve) => setTimeout(resolve, 50));
  const { liveHandles, weightBytes, deviceBytes } = backend.counters;
  held.push({ resident: Deno.memoryUsage().rss, counted: [liveHandles, weightBytes, deviceBytes] });
}
console.log(JSON.stringify(held));
