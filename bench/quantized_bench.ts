// What 8 and 4 bits cost and save on ffi, on Linux: `deno run -A bench/quantized_bench.ts [vit_gpt2] [trocr] [embedded]
// [--folder FOLDER]`. vit_gpt2 is a ViT-B/16 with GPT-2 small, trocr a TrOCR-base, both of random parameters, which are
// written to the folder (1.3 to 2.8 GB) and kept there, so that a second run is faster; else to a temporary one. Each case
// runs in a process of its own, in turns; ratios are those of one run. Pictures and tokens are measured by the processor's time
// of all threads, which other work on the machine hardly changes.
import { cpuUsage } from "node:process";
import { Tensor, VisionEncoderDecoderModel } from "../mod.ts";
import { readLines } from "./peers/lines.ts";
import { configs, writeModels } from "./peers/full_size.ts";
import { ownMemory } from "./peers/processes.ts";
import { sizeOf } from "../src/tensor/mod.ts";

type Dtype = "float32" | "q8" | "q4";

/** How a model is loaded: from which folder, and with which options. */
interface Case {
  readonly name: string;
  readonly saved?: "q8" | "q4";
  readonly dtype?: Dtype;
  readonly lowMemory?: boolean;
  /** How often it writes. @default 4 */
  readonly texts?: number;
  /** What must be reached, of the float32 case's time or memory. */
  readonly limits?: Partial<Record<keyof Cost, number>>;
}

interface Cost {
  /** ms to the model, and the processor's ms. */
  readonly load: number;
  readonly loadProcessor: number;
  /** The processor's ms of a picture and its first token, and of a further token. */
  readonly encode: number;
  readonly token: number;
  /** The most bytes of the process's own memory at a time (RssAnon), and what it had before the model. */
  readonly peak: number;
  readonly before: number;
}

const cases: readonly Case[] = [
  // Its weights are packed while they are loaded, as those of 8 and 4 bits are.
  { name: "float32", dtype: "float32", lowMemory: false, limits: { peak: 1.15 } },
  { name: "q8_while_loading", dtype: "q8", limits: { load: 2, token: 0.42 } },
  { name: "q4_while_loading", dtype: "q4", limits: { load: 2, token: 0.36 } },
  { name: "q8_saved", saved: "q8", limits: { load: 0.5, peak: 0.4, token: 0.42 } },
  { name: "q4_saved", saved: "q4", limits: { load: 0.5, token: 0.36 } },
  { name: "float32_low_memory", dtype: "float32", lowMemory: true },
  { name: "q8_saved_low_memory", saved: "q8", lowMemory: true },
  { name: "q4_saved_low_memory", saved: "q4", lowMemory: true },
];

const columns = ["load", "loadProcessor", "encode", "token", "peak"] as const;
type Column = (typeof columns)[number];

/** How often each case runs, and how many tokens it writes. */
const [rounds, tokens] = [3, 16];

/** The processor's time that work takes, of all threads, in ms: it does not count what else the machine does meanwhile. */
async function processorTime(work: () => Promise<unknown>): Promise<number> {
  const began = cpuUsage();
  await work();
  const { user, system } = cpuUsage(began);
  return (user + system) / 1000;
}

/** What a child does: load one model, and write some texts. Threads that wait do not spin, so that none is counted idle. */
async function measure(folder: string, { dtype, lowMemory, texts = 4 }: Case): Promise<Omit<Cost, "peak">> {
  const before = ownMemory("self");
  const began = performance.now();
  let loaded: VisionEncoderDecoderModel;
  const loadProcessor = await processorTime(async () => {
    loaded = await VisionEncoderDecoderModel.fromPretrained(folder, {
      ...{ backend: "ffi", dtype, lowMemory, spinning: false },
    });
  });
  const load = performance.now() - began;
  await using model = loaded!;
  const size = model.config.encoder.image_size as number;
  const picture = new Tensor("float32", [1, 3, size, size], new Float32Array(3 * size * size).fill(0.5));
  const write = (length: number) => model.generate(picture, { maxNewTokens: length, minNewTokens: length });
  let [encode, whole] = [Infinity, Infinity];
  for (let i = 0; i < texts; i++) {
    encode = Math.min(encode, await processorTime(() => write(1)));
    whole = Math.min(whole, await processorTime(() => write(1 + tokens)));
  }
  return { load, loadProcessor, encode, token: (whole - encode) / tokens, before };
}

/**
 * Run a case in a process, whose memory is watched.
 *
 * @param group The control group that it is in.
 */
async function costOf(folder: string, options: Case, group?: string): Promise<Cost> {
  const args = ["run", "-A", "--quiet", import.meta.url, "--child", folder, JSON.stringify(options)];
  const enter = ["-c", `echo $$ > ${group}/cgroup.procs && exec "$0" "$@"`, Deno.execPath(), ...args];
  const child = new Deno.Command(group ? "sh" : Deno.execPath(), {
    args: group ? enter : args,
    stdout: "piped",
    stdin: "null",
  }).spawn();
  let peak = 0;
  const watch = setInterval(() => {
    try {
      peak = Math.max(peak, ownMemory(child.pid));
    } catch {
      // it has ended
    }
  }, 5);
  const { success, stdout } = await child.output();
  clearInterval(watch);
  if (!success) throw new Error(`${options.name} failed`);
  return { ...JSON.parse(new TextDecoder().decode(stdout)), peak };
}

/** Write a model in every form where it is not there. @returns The bytes of its parameters as float32. */
async function prepare(name: string, folder: string): Promise<number> {
  await writeModels(name, folder);
  const path = `${folder}/${name}_float32`;
  await using model = await VisionEncoderDecoderModel.fromPretrained(path, { lowMemory: true });
  return 4 * [...model.namedParameters().values()].reduce((sum, { shape }) => sum + sizeOf(shape), 0);
}

/** The case's value, how many times float32's that is, and what it must be. */
function cell(
  cost: Cost,
  base: Cost,
  weights: number,
  { limits = {} }: Case,
  field: Column,
) {
  const ratio = cost[field] / (field === "peak" ? weights : base[field]);
  const value = field === "peak" ? `${(cost.peak / 1e6).toFixed(0)} MB` : `${cost[field].toFixed(1)} ms`;
  const limit = limits[field];
  return `${value} ${ratio.toFixed(2)}×${limit === undefined ? "" : ` (${limit})`}`.padStart(26);
}

async function compare(name: string, folder: string): Promise<void> {
  const weights = await prepare(name, folder);
  const costs = new Map<Case, Cost>();
  for (let round = 0; round < rounds; round++) {
    for (const options of cases) {
      const cost = await costOf(`${folder}/${name}_${options.saved ?? "float32"}`, options);
      const known = costs.get(options) ?? cost;
      const least = (field: keyof Cost) => Math.min(known[field], cost[field]);
      costs.set(options, {
        load: least("load"),
        loadProcessor: least("loadProcessor"),
        encode: least("encode"),
        token: least("token"),
        peak: Math.max(known.peak, cost.peak),
        before: Math.max(known.before, cost.before),
      });
    }
  }
  const base = costs.get(cases[0])!;
  console.log(
    `${name}: ${(weights / 1e6).toFixed(0)} MB of float32; a process has ${(base.before / 1e6).toFixed(0)} MB`,
  );
  console.log(
    "case".padEnd(20) +
      ["load", "by the processor", "picture", "token", "peak RssAnon"].map((head) => head.padStart(26)).join(""),
  );
  for (const [options, cost] of costs) {
    console.log(options.name.padEnd(20) + columns.map((field) => cell(cost, base, weights, options, field)).join(""));
  }
}

/** What an edge machine has, in bytes. */
const littleMemory = 512e6;

/**
 * Whether a saved q8 model reads a picture where there are 512 MB: in a control group with that limit where one can be made
 * (by root, of the first version), else by the most memory of its own that it takes.
 */
async function readInLittleMemory(name: string, folder: string): Promise<void> {
  const group = `/sys/fs/cgroup/memory/limner_bench_${Deno.pid}`;
  const options = { name: "q8_saved", texts: 1 };
  let limited = false;
  try {
    await Deno.mkdir(group);
    await Deno.writeTextFile(`${group}/memory.limit_in_bytes`, `${littleMemory}`);
    limited = true;
  } catch {
    // it is another version, or another user
  }
  const { peak } = await costOf(`${folder}/${name}_q8`, options, limited ? group : undefined);
  if (limited) {
    const most = Number(await Deno.readTextFile(`${group}/memory.max_usage_in_bytes`));
    const failed = (await Deno.readTextFile(`${group}/memory.failcnt`)).trim();
    await Deno.remove(group);
    console.log(
      `${name} q8 under a limit of 512 MB: reads; the group's most ${(most / 1e6).toFixed(0)} MB with pages of ` +
        `files, of its own ${(peak / 1e6).toFixed(0)} MB; the limit was met ${failed} times`,
    );
  } else {
    console.log(
      `${name} q8, without a limit, since no control group can be made: ${(peak / 1e6).toFixed(0)} MB of its own`,
    );
  }
}

function processor(): string {
  const text = Deno.readTextFileSync("/proc/cpuinfo");
  const name = /model name\s*:\s*(.*)/.exec(text)?.[1] ?? "an unknown processor";
  return `${name}, ${navigator.hardwareConcurrency} threads, ${/vnni|i8mm/.test(text) ? "with" : "without"} VNNI`;
}

if (Deno.args[0] === "--child") {
  console.log(JSON.stringify(await measure(Deno.args[1], JSON.parse(Deno.args[2]))));
} else {
  const at = Deno.args.indexOf("--folder");
  const given = at < 0 ? undefined : Deno.args[at + 1];
  const names = Deno.args.filter((_, i) => at < 0 || (i !== at && i !== at + 1));
  const folder = given ?? await Deno.makeTempDir({ prefix: "limner_quantized_" });
  console.log(processor());
  try {
    for (const name of names.length > 0 ? names : ["embedded", ...Object.keys(configs)]) {
      if (name === "embedded") { for (const line of await readLines()) console.log(`${line}`); }
      else {
        await compare(name, folder);
        await readInLittleMemory(name, folder);
      }
    }
  } finally {
    if (given === undefined) await Deno.remove(folder, { recursive: true });
  }
}
