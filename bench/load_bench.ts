// How long it takes to load a model, and how much memory: `deno run -A bench/load_bench.ts [ffi] [webgpu] [python]`, on Linux.
// ViT-B/16 with GPT-2 small (239 million random parameters) in each format, and a model of Donut-base's sizes (202 million)
// for pages of 640 × 480, each in a process of its own, to the model and on to its first token. It writes 6 GB to the
// temporary folder. Where `python3` (or $PYTHON) has PyTorch, it reads the files beside.
// To reach: peak memory while loading 1.2 times the weights as float32 and 100 MB; a .bin in 1.5 times the time of
// safetensors.
import {
  type BackendName,
  defaultConfig,
  loadBackend,
  Tensor,
  VisionEncoderDecoderConfig,
  VisionEncoderDecoderModel,
} from "../mod.ts";
import { openCheckpoint, type TensorSource, writeCheckpoint } from "../src/checkpoint/mod.ts";
import { openRepository } from "../src/hub/mod.ts";
import { bytesPerElement, sizeOf } from "../src/tensor/mod.ts";
import { writeBin } from "../tests/checkpoint/weight_files.ts";

interface Cost {
  /** To the model, and to its first token, in ms. */
  load: number;
  first: number;
  /** Bytes beyond what the process and its backend had before: at most until the model is there, and when it is used. */
  peak: number;
  held: number;
}

const memory = (field: "VmHWM" | "VmRSS") =>
  1024 * Number(RegExp(`${field}:\\s+(\\d+)`).exec(Deno.readTextFileSync("/proc/self/status"))![1]);

/** What a child does: load one model and decode one token. */
async function measure(name: BackendName, folder: string): Promise<Cost> {
  await using backend = await loadBackend(name);
  const before = memory("VmRSS"), start = performance.now();
  await using model = await VisionEncoderDecoderModel.fromPretrained(folder, { backend });
  const load = performance.now() - start;
  const peak = memory("VmHWM") - before;
  const size = [model.config.encoder.image_size].flat() as number[];
  const [height, width] = [size[0], size.at(-1)!];
  const picture = new Tensor("float32", [1, 3, height, width], new Float32Array(3 * height * width).fill(0.5));
  await model.generate(picture, { maxNewTokens: 1 });
  return { load, first: performance.now() - start, peak, held: memory("VmRSS") - before };
}

const [captioner, donut] = [
  VisionEncoderDecoderConfig.fromEncoderDecoderConfigs(defaultConfig("vit"), defaultConfig("gpt2"), {
    decoder_start_token_id: 50256,
    pad_token_id: 50256,
  }),
  VisionEncoderDecoderConfig.fromEncoderDecoderConfigs(
    defaultConfig("donut-swin", {
      image_size: [640, 480],
      embed_dim: 128,
      depths: [2, 2, 14, 2],
      num_heads: [4, 8, 16, 32],
      window_size: 10,
    }),
    defaultConfig("mbart", {
      vocab_size: 57525,
      d_model: 1024,
      decoder_layers: 4,
      decoder_ffn_dim: 4096,
      decoder_attention_heads: 16,
      max_position_embeddings: 1536,
      scale_embedding: true,
      add_final_layer_norm: true,
    }),
    { decoder_start_token_id: 2, pad_token_id: 1 },
  ),
];

/** Write a model of random parameters, as safetensors. @returns The parameters' number. */
async function writeModel(config: VisionEncoderDecoderConfig, folder: string): Promise<number> {
  await using model = await VisionEncoderDecoderModel.fromConfig(config, { backend: "reference" });
  await model.savePretrained(folder);
  return [...model.namedParameters().values()].reduce((sum, { shape }) => sum + sizeOf(shape), 0);
}

/** Write the captioner in every format. @returns The formats' folders by name, and the parameters' number. */
async function writeFormats(folder: string): Promise<{ formats: Map<string, string>; parameters: number }> {
  const formats = new Map(
    ["safetensors", "sharded", "float16", "bin_zip", "bin_legacy"].map((name) => [name, `${folder}/${name}`]),
  );
  const parameters = await writeModel(captioner, formats.get("safetensors")!);
  await using checkpoint = await openCheckpoint(await openRepository(formats.get("safetensors")!));
  await writeCheckpoint(formats.get("sharded")!, checkpoint, { maxShardSize: "200MB" });
  await writeCheckpoint(formats.get("float16")!, halved(checkpoint));
  const tensors = new Map<string, Tensor>();
  for (const name of checkpoint.parameters.keys()) tensors.set(name, await checkpoint.read(name));
  for (const kind of ["zip", "legacy"] as const) {
    const target = formats.get(`bin_${kind}`)!;
    await Deno.mkdir(target);
    await writeBin(`${target}/pytorch_model.bin`, kind, tensors);
  }
  for (const target of formats.values()) {
    await Deno.copyFile(`${formats.get("safetensors")!}/config.json`, `${target}/config.json`).catch(() => {});
  }
  return { formats, parameters };
}

function halved(source: TensorSource): TensorSource {
  return {
    parameters: new Map([...source.parameters].map(([name, { shape }]) => [name, { dataType: "float16", shape }])),
    read: async (name) => {
      const { shape, data } = await source.read(name);
      return new Tensor("float16", shape, Float16Array.from(data as Float32Array));
    },
  };
}

async function readAll(folder: string): Promise<void> {
  for await (const { name } of Deno.readDir(folder)) {
    using file = await Deno.open(`${folder}/${name}`);
    const buffer = new Uint8Array(8 << 20);
    while (await file.read(buffer) !== null) { /* on to the next piece */ }
    await file.syncData();
  }
}

/** What Python takes to read a folder's weights into float32, in ms and bytes; undefined without PyTorch. */
async function measurePython(folder: string): Promise<Cost | undefined> {
  const program = `
import glob, json, re, sys, time, torch, safetensors.torch
memory = lambda field: 1024 * int(re.search(field + r":\\s+(\\d+)", open("/proc/self/status").read())[1])
torch.zeros(1 << 20).sum()
before, start, total = memory("VmRSS"), time.perf_counter(), 0.0
for file in glob.glob(sys.argv[1] + "/*.safetensors") + glob.glob(sys.argv[1] + "/*.bin"):
    read = safetensors.torch.load_file if file.endswith("rs") else lambda f: torch.load(f, weights_only=True)
    for value in read(file).values():
        total += float(value.float().sum())  # it maps files: their pages are read when they are used
load = 1000 * (time.perf_counter() - start)
print(json.dumps({"load": load, "first": load, "peak": memory("VmHWM") - before, "held": 0}))
`;
  return await run(Deno.env.get("PYTHON") ?? "python3", ["-c", program, folder]).catch(() => undefined);
}

async function run(command: string, args: string[]): Promise<Cost> {
  const { stdout, stderr, success } = await new Deno.Command(command, { args }).output();
  if (!success) throw new Error(new TextDecoder().decode(stderr));
  return JSON.parse(new TextDecoder().decode(stdout).trim().split("\n").at(-1)!);
}

/** The median of three runs in time, the largest in memory; undefined where it cannot run. */
async function thrice(measured: () => Promise<Cost | undefined>): Promise<Cost | undefined> {
  const costs: Cost[] = [];
  while (costs.length < 3) {
    const cost = await measured();
    if (!cost) return;
    costs.push(cost);
  }
  const median = (of: (cost: Cost) => number) => costs.map(of).sort((a, b) => a - b)[1];
  return {
    load: median((cost) => cost.load),
    first: median((cost) => cost.first),
    peak: Math.max(...costs.map((cost) => cost.peak)),
    held: Math.max(...costs.map((cost) => cost.held)),
  };
}

function print(name: string, { load, first, peak, held }: Cost, weights: number, base: Cost): void {
  const columns = [
    `${load.toFixed(0)} ms`,
    `${first.toFixed(0)} ms`,
    `${(first / base.first).toFixed(2)} times`,
    `${(peak / 1e6).toFixed(0)} MB`,
    ...[peak, held].map((bytes) => bytes === 0 ? "" : `${((bytes - 100e6) / weights).toFixed(2)} times`),
  ];
  console.log([name.padEnd(26), ...columns.map((column) => column.padStart(12))].join(""));
}

async function compare(formats: Map<string, string>, parameters: number, columns: string[]): Promise<void> {
  const weights = parameters * bytesPerElement("float32");
  const heads = ["load", "first token", "ratio", "peak", "peak-100 MB", "held-100 MB"].map((head) => head.padStart(12));
  console.log(`${parameters} parameters, ${(weights / 1e6).toFixed(0)} MB`.padEnd(26) + heads.join(""));
  const script = new URL(import.meta.url).pathname;
  for (const name of columns) {
    const measured = (folder: string) =>
      name === "python" ? measurePython(folder) : run(Deno.execPath(), ["run", "-A", script, "--child", name, folder]);
    let base: Cost | undefined;
    for (const [format, folder] of formats) {
      await readAll(folder); // so that each is measured with the system's cache warm and its disk at rest
      const cost = await thrice(() => measured(folder));
      if (cost) print(`${name}_${format}`, cost, weights, base ??= cost);
    }
    if (!base) console.log(`${name}: not here`);
  }
}

async function main(columns: string[]): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "limner_load_" });
  try {
    const { formats, parameters } = await writeFormats(folder);
    await compare(formats, parameters, columns);
    await compare(new Map([["donut", `${folder}/donut`]]), await writeModel(donut, `${folder}/donut`), columns);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

if (Deno.args[0] === "--child") {
  console.log(JSON.stringify(await measure(Deno.args[1] as BackendName, Deno.args[2])));
} else await main(Deno.args.length > 0 ? Deno.args : ["ffi", "webgpu", "python"]);
