// A server under load beside `captions` in the same run: `deno run -A bench/serve_bench.ts [SECONDS [CLIENTS [BACKEND
// [BEAMS]]]]`.
// Clients are another process. Each waits a random time (20 ms in the mean) between two pictures; all texts are checked. In
// turns with it `captions` reads the same pictures in lists of 16, and one at a time. On webgpu and wasm the model is in a
// worker, as `caption.ts serve` has it, and serves in one turn. Figures to reach: no wrong text, 0.8 of the pictures of the
// lists, p99 at most 4 medians, RssAnon of the last 6 s within 5 % and 10 MB of seconds 6 to 12 (turns of 18 s or more).
import { type BackendName, Captioner } from "../mod.ts";
import { createHandler, createWorkerHandler } from "../src/serve/mod.ts";

const examples = ["line", "address", "date", "shout"];
const folder = new URL("../assets/examples/", import.meta.url);
const pictures = await Promise.all(examples.map((name) => Deno.readFile(new URL(`${name}.png`, folder))));

const median = (values: readonly number[], at = 0.5) =>
  values.toSorted((a, b) => a - b)[Math.floor(at * values.length)];

/** What a run of clients measured. */
interface Load {
  /** Milliseconds of each request. */
  readonly times: readonly number[];
  readonly wrong: number;
  readonly seconds: number;
}

const numBeams = Number(Deno.args[0] === "--clients" ? Deno.args[5] : Deno.args[3] ?? 1);

/** Be the clients. */
async function ask(base: string, seconds: number, clients: number, texts: readonly string[]): Promise<Load> {
  const times: number[] = [];
  let wrong = 0;
  const began = performance.now();
  await Promise.all(Array.from({ length: clients }, async (_, client) => {
    for (let i = client; performance.now() - began < 1000 * seconds; i++) {
      await new Promise((resume) => setTimeout(resume, -20 * Math.log(1 - Math.random())));
      const at = performance.now();
      const answer = await fetch(`${base}/caption?numBeams=${numBeams}`, {
        method: "POST",
        body: pictures[i % pictures.length],
      });
      const { text } = await answer.json();
      times.push(performance.now() - at);
      if (text !== texts[i % texts.length]) wrong++;
    }
  }));
  return { times, wrong, seconds: (performance.now() - began) / 1000 };
}

if (Deno.args[0] === "--clients") {
  const [, base, seconds, clients, texts] = Deno.args;
  console.log(JSON.stringify(await ask(base, Number(seconds), Number(clients), JSON.parse(texts))));
  Deno.exit(0);
}

async function clientsOf(base: string, seconds: number, clients: number, texts: readonly string[]): Promise<Load> {
  const script = new URL(import.meta.url).pathname;
  const args = [
    "run",
    "-A",
    "--no-check",
    script,
    "--clients",
    base,
    `${seconds}`,
    `${clients}`,
    JSON.stringify(texts),
    `${numBeams}`,
  ];
  const { stdout, success } = await new Deno.Command(Deno.execPath(), { args, stderr: "inherit" }).output();
  if (!success) throw new Error("the clients failed");
  return JSON.parse(new TextDecoder().decode(stdout));
}

async function metric(base: string, name: string): Promise<number> {
  const text = await (await fetch(`${base}/metrics`)).text();
  return Number(new RegExp(`^${name} (\\S+)$`, "m").exec(text)?.[1]);
}

/** Memory of this process that is no file's, in MB, each second until it is stopped; Linux says it. */
function watchMemory(): { stop(): number[] } {
  const seen: number[] = [];
  const timer = setInterval(() => {
    const status = Deno.readTextFileSync("/proc/self/status");
    seen.push(Number(/RssAnon:\s+(\d+)/.exec(status)![1]) / 1000);
  }, 1000);
  return {
    stop: () => {
      clearInterval(timer);
      return seen;
    },
  };
}

/** Pictures a second of `captions`, in lists of a length. */
async function inLists(captioner: Captioner, length: number, seconds: number): Promise<number> {
  const began = performance.now();
  let count = 0;
  while (performance.now() - began < 1000 * seconds) {
    await captioner.captions(Array.from({ length }, (_, i) => pictures[i % pictures.length]), { numBeams });
    count += length;
  }
  return 1000 * count / (performance.now() - began);
}

/** How memory went in a turn: the median of seconds 6 to 12, and that of the last 6. */
function memoryOf(seen: readonly number[]): string {
  if (seen.length < 18) return `${median(seen)?.toFixed(0)} MB`;
  const [early, late] = [median(seen.slice(6, 12)), median(seen.slice(-6))];
  return `${early.toFixed(0)} then ${late.toFixed(0)} MB (at most ${(1.05 * early + 10).toFixed(0)})`;
}

const [seconds, clients] = [Number(Deno.args[0] ?? 60), Number(Deno.args[1] ?? 32)];
const backend = (Deno.args[2] ?? "ffi") as BackendName;
await using captioner = backend === "ffi" ? await Captioner.load(undefined, { backend }) : undefined;
const texts = captioner ? await captioner.caption(pictures, { numBeams }) : await readAlone();
await using handler = captioner
  ? createHandler(captioner, { apiKey: null })
  : await createWorkerHandler(undefined, { apiKey: null, load: { backend } });
await using server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, handler.fetch);
const base = `http://127.0.0.1:${server.addr.port}`;
await clientsOf(base, Math.min(3, seconds), clients, texts);
if (captioner) await inLists(captioner, 16, 1);
const handles = await metric(base, "limner_handles");
const rates: Record<string, number[]> = { served: [], lists: [], single: [] };
const times: number[] = [];
const memories: string[] = [];
let wrong = 0;
const turns = captioner ? 3 : 1;
for (let turn = 0; turn < turns; turn++) {
  if (captioner) {
    rates.lists.push(await inLists(captioner, 16, seconds / turns / 2));
    rates.single.push(await inLists(captioner, 1, seconds / turns / 4));
  }
  const memory = Deno.build.os === "linux" ? watchMemory() : undefined;
  const load = await clientsOf(base, seconds / turns, clients, texts);
  memories.push(memoryOf(memory?.stop() ?? []));
  rates.served.push(load.times.length / load.seconds);
  times.push(...load.times);
  wrong += load.wrong;
}
console.log(`${clients} clients, ${seconds} s in ${turns} turns, ${numBeams} beams, the embedded model on ${backend}`);
console.log(`served: ${median(rates.served).toFixed(1)} pictures a second, ${wrong} wrong texts of ${times.length}`);
if (captioner) {
  console.log(`captions in lists of 16: ${median(rates.lists).toFixed(1)} (served / lists ${ratio("lists")})`);
  console.log(`captions one at a time: ${median(rates.single).toFixed(1)} (served / single ${ratio("single")})`);
}
const [half, late] = [median(times), median(times, 0.99)];
console.log(`median ${half.toFixed(0)} ms, p99 ${late.toFixed(0)} ms (${(late / half).toFixed(2)} of the median)`);
console.log(
  `queue ${await metric(base, "limner_queue_length")}, slots in use ${await metric(base, "limner_slots_in_use")}, ` +
    `handles ${await metric(base, "limner_handles")} (before ${handles})`,
);
console.log(`RssAnon while serving, by turn: ${memories.join("; ")}`);

/** The texts that the backend reads alone. */
async function readAlone(): Promise<string[]> {
  await using alone = await Captioner.load(undefined, { backend });
  return await alone.caption(pictures, { numBeams });
}

function ratio(other: "lists" | "single"): string {
  return median(rates.served.map((rate, turn) => rate / rates[other][turn])).toFixed(2);
}
