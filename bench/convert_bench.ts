// How long it takes to convert weights that cannot be used as they lie in a .bin, beside reading such a file and writing it
// once, and how long they load from then on, beside safetensors: `deno run -A bench/convert_bench.ts [BACKEND]`, on Linux.
// ViT-B/16 with GPT-2 small (239 million random parameters, 957 MB); what takes turns runs in processes of its own. It writes
// 7 GB to the temporary folder. To reach: 3 times reading and writing, and as long to load as safetensors.
import {
  type BackendName,
  defaultConfig,
  loadBackend,
  VisionEncoderDecoderConfig,
  VisionEncoderDecoderModel,
} from "../mod.ts";
import { openCheckpoint } from "../src/checkpoint/mod.ts";
import { openWeights } from "../src/model/open_weights.ts";
import { openRepository, type Repository } from "../src/hub/mod.ts";
import { PendingFile } from "../src/hub/atomic_file.ts";
import { type BinKind, writeBin } from "../tests/checkpoint/weight_files.ts";

const kinds: readonly BinKind[] = ["compressed", "strided", "half", "legacy", "zip"];
const script = new URL(import.meta.url).pathname;

/** A folder as if the Hub knew what is in it. */
async function published(folder: string): Promise<Repository> {
  const repository = await openRepository(folder);
  const blobOf = (file: string) => Promise.resolve(`${folder.split("/").at(-1)}-${file}`);
  return Object.assign(Object.create(repository), { blobOf });
}

/** Convert a folder's weights. @returns Milliseconds; undefined where they are used as they are. */
async function convert(folder: string, name: BackendName): Promise<number | undefined> {
  await using backend = await loadBackend(name);
  const start = performance.now();
  const { convert } = await openWeights(await published(folder), Promise.resolve(backend), {});
  if (!convert) return undefined;
  if (!await convert()) throw new Error(`Could not convert ${folder}`);
  return performance.now() - start;
}

/** Read the bytes of one file and write as many to another as are converted. @returns Milliseconds. */
async function copy(path: string, folder: string, times: number): Promise<number> {
  const start = performance.now();
  using from = await Deno.open(path);
  using to = await PendingFile.create(folder, "converted");
  const buffer = new Uint8Array(8 << 20);
  for (;;) {
    const count = await from.read(buffer);
    if (count === null) break;
    for (let i = 0; i < times; i++) await to.write(buffer.subarray(0, count));
  }
  await to.flush();
  return performance.now() - start;
}

/** Load a model. @returns Milliseconds. */
async function load(folder: string, name: BackendName): Promise<number> {
  await using backend = await loadBackend(name);
  const start = performance.now();
  await using _model = await VisionEncoderDecoderModel.fromPretrained(await published(folder), { backend });
  return performance.now() - start;
}

async function child(...args: string[]): Promise<number | undefined> {
  const { stdout, stderr, success } = await new Deno.Command(Deno.execPath(), { args: ["run", "-A", script, ...args] })
    .output();
  if (!success) throw new Error(new TextDecoder().decode(stderr));
  return JSON.parse(new TextDecoder().decode(stdout).trim().split("\n").at(-1)!) ?? undefined;
}

async function writeModels(folder: string): Promise<void> {
  const config = VisionEncoderDecoderConfig.fromEncoderDecoderConfigs(defaultConfig("vit"), defaultConfig("gpt2"), {
    decoder_start_token_id: 50256,
    pad_token_id: 50256,
  });
  await using model = await VisionEncoderDecoderModel.fromConfig(config, { backend: "reference" });
  await model.savePretrained(`${folder}/safetensors`);
  await using checkpoint = await openCheckpoint(await openRepository(`${folder}/safetensors`));
  const tensors = new Map<string, Awaited<ReturnType<typeof checkpoint.read>>>();
  for (const name of checkpoint.names()) tensors.set(name, await checkpoint.read(name));
  for (const kind of kinds) {
    await Deno.mkdir(`${folder}/${kind}`);
    await writeBin(`${folder}/${kind}/pytorch_model.bin`, kind, tensors);
    await Deno.copyFile(`${folder}/safetensors/config.json`, `${folder}/${kind}/config.json`);
  }
}

async function compare(backend: string): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "limner_convert_" });
  const cache = `${folder}/cache`;
  Deno.env.set("LIMNER_CACHE", cache);
  const median = (values: number[]) => values.toSorted((a, b) => a - b)[values.length >> 1];
  try {
    await writeModels(folder);
    console.log(`${"kind".padEnd(12)}   convert   read and write   ratio        load   safetensors   ratio`);
    for (const kind of kinds) {
      const [converting, copying, loading, plain]: number[][] = [[], [], [], []];
      for (let turn = 0; turn < 3; turn++) {
        await Deno.remove(cache, { recursive: true }).catch(() => {});
        copying.push(
          (await child("copy", `${folder}/${kind}/pytorch_model.bin`, folder, kind === "half" ? "2" : "1"))!,
        );
        const taken = await child("convert", `${folder}/${kind}`, backend);
        if (taken !== undefined) converting.push(taken);
      }
      for (let turn = 0; turn < 3; turn++) {
        plain.push((await child("load", `${folder}/safetensors`, backend))!);
        loading.push((await child("load", `${folder}/${kind}`, backend))!);
      }
      const [ours, once, loaded, base] = [converting, copying, loading, plain].map(median);
      const ms = (value: number | undefined) => value === undefined ? "-" : `${value.toFixed(0)} ms`;
      const ratio = ours === undefined ? "-" : (ours / once).toFixed(2);
      console.log(
        kind.padEnd(12) + ms(ours).padStart(10) + ms(once).padStart(17) + ratio.padStart(8) +
          ms(loaded).padStart(12) + ms(base).padStart(14) + (loaded / base).toFixed(2).padStart(8),
      );
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

const [command, ...args] = Deno.args;
if (command === "copy") console.log(await copy(args[0], args[1], Number(args[2])));
else if (command === "convert") console.log(await convert(args[0], args[1] as BackendName) ?? null);
else if (command === "load") console.log(await load(args[0], args[1] as BackendName));
else await compare(command ?? "ffi");
