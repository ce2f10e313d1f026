// What a process holds after many generations, every third of them aborted: `deno run -A bench/memory_bench.ts
// [BACKEND] [GENERATIONS]`. The figure to reach: after 200 at most 10 MB more than after 20. No collection is asked for.
import { type BackendName, Captioner, loadBackend, readImage } from "../mod.ts";

const name = (Deno.args[0] ?? "webgpu") as BackendName;
const last = Number(Deno.args[1] ?? 200);
await using backend = await loadBackend(name);
await using captioner = await Captioner.load(undefined, { backend });
const image = await readImage(new URL("../assets/examples/line.png", import.meta.url));
/** Ten generations of each in turn. */
const methods = [{}, { numBeams: 3 }, { doSample: true, seed: 1 }];

let first = 0;
for (let count = 1; count <= last; count++) {
  const stop = new AbortController();
  const stops = (tokens: readonly number[]) => {
    if (count % 3 === 0 && tokens.length === 5) stop.abort();
    return false;
  };
  const options = { ...methods[Math.floor(count / 10) % methods.length], stoppingCriteria: [stops] };
  await captioner.caption(image, { ...options, signal: stop.signal }).catch((error) => {
    if (!stop.signal.aborted) throw error;
  });
  const { rss, heapTotal } = Deno.memoryUsage();
  if (count === 20) first = rss;
  if (![20, 50, 100, 200, 500, 1000, 2000].includes(count)) continue;
  const megabytes = (bytes: number) => (bytes / 2 ** 20).toFixed(1).padStart(6);
  const added = `${megabytes(rss - first)} MB more than after 20`;
  console.log(`${name} ${count} generations: ${megabytes(rss)} MB, ${added}; V8's heap ${megabytes(heapTotal)} MB`);
}
