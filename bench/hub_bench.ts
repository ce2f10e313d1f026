// A large file from a Hub on this machine that sends at most 200 MB/s: `deno run -A bench/hub_bench.ts [MEGABYTES]`. Each
// row is the median of turns taken with curl, and how much memory the process took on while it downloaded. The Hub is a
// process of its own, and so is each download.
import { HubRepository } from "../src/hub/hub_repository.ts";
import { HubServer } from "../tests/hub/hub_server.ts";

const here = new URL(import.meta.url).pathname;
const [command, ...rest] = Deno.args;
if (command === "serve") await serve(Number(rest[0]), Number(rest[1]));
else if (command === "pull") await pull(rest[0]);
else await compare(Number(command ?? 1000) * 1e6);

/** Serve a file until the process is ended, and print where. */
async function serve(size: number, rate: number): Promise<void> {
  await using server = new HubServer();
  server.rate = rate;
  const pattern = crypto.getRandomValues(new Uint8Array(65536));
  const block = new Uint8Array(2 << 20).map((_, i) => pattern[i & 65535] ^ (i >> 16));
  const read = (offset: number, length: number) => block.subarray(offset & 0xfffff, (offset & 0xfffff) + length);
  server.publish("org/large", { "config.json": "{}", "model.safetensors": { size, read } });
  console.log(server.url);
  await new Promise(() => {});
}

/** Download the file, and print the milliseconds and the MB of memory it took. */
async function pull(endpoint: string): Promise<void> {
  const cacheDir = await Deno.makeTempDir({ prefix: "limner_bench_" });
  let start = 0, most = 0;
  const watch = () => most = Math.max(most, Deno.memoryUsage().rss);
  const onProgress = ({ done }: { done: number }) => {
    if (start === 0 && done > 0) start = Deno.memoryUsage().rss;
  };
  const repository = await HubRepository.create("org/large", { endpoint, cacheDir, onProgress });
  await repository.readText("config.json");
  const timer = setInterval(watch, 20);
  const began = performance.now();
  await repository.open("model.safetensors");
  const taken = performance.now() - began;
  clearInterval(timer);
  await Deno.remove(cacheDir, { recursive: true });
  console.log(`${taken} ${(most - start) / 1e6}`);
}

async function compare(size: number): Promise<void> {
  const server = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--quiet", here, "serve", String(size), "200e6"],
    stdout: "piped",
  }).spawn();
  const reader = server.stdout.pipeThrough(new TextDecoderStream()).getReader();
  const url = (await reader.read()).value!.trim();
  const folder = await Deno.makeTempDir({ prefix: "limner_bench_" });
  const rates: Record<"curl" | "limner", number[]> = { curl: [], limner: [] };
  const memory: number[] = [];
  const run = async (command: string, args: string[]) =>
    new TextDecoder().decode((await new Deno.Command(command, { args, stderr: "inherit" }).output()).stdout);
  for (let turn = 0; turn < 3; turn++) {
    const began = performance.now();
    await run("curl", ["-sL", "-o", `${folder}/file`, `${url}/org/large/resolve/main/model.safetensors`]);
    rates.curl.push(size / (performance.now() - began) / 1e3);
    await Deno.remove(`${folder}/file`);
    const [taken, held] = (await run(Deno.execPath(), ["run", "-A", "--quiet", here, "pull", url])).split(" ").map(
      Number,
    );
    rates.limner.push(size / taken / 1e3);
    memory.push(held);
  }
  server.kill("SIGTERM");
  await server.status;
  await Deno.remove(folder, { recursive: true });
  const median = (values: number[]) => values.toSorted((a, b) => a - b)[values.length >> 1];
  const [ours, theirs] = [median(rates.limner), median(rates.curl)];
  console.log("case                      limner         curl    ratio    memory");
  console.log(
    `download_${size / 1e6}MB_200MBps`.padEnd(24) + `${ours.toFixed(0)} MB/s`.padStart(8) +
      `${theirs.toFixed(0)} MB/s`.padStart(13) + (ours / theirs).toFixed(2).padStart(9) +
      `+${Math.max(...memory).toFixed(0)} MB`.padStart(10),
  );
}
