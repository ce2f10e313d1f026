// Writing a model's weights into a folder: one file, or shards with an index. At every moment the folder holds one whole
// checkpoint: new files get names that the old checkpoint does not use, one rename makes them current, then old ones go.
import { OptionError } from "../errors.ts";
import { toPath } from "../hub/mod.ts";
import { PendingFile, removeStaleFiles, writeFileAtomically } from "./atomic_file.ts";
import { byteLengthOf, sourceOf, type TensorSource, type WriteOptions, writeTensors } from "./write_safetensors.ts";
import { sizeOf, type Tensor } from "../tensor/mod.ts";

/** Options of {@linkcode writeCheckpoint}. */
export interface WriteCheckpointOptions extends WriteOptions {
  /**
   * The most bytes of tensors in a file, as a number or as text such as `"200MB"` or `"1GiB"`. A larger tensor gets a file
   * of its own.
   *
   * @default "50GB"
   */
  maxShardSize?: number | string;
}

const single = "model.safetensors";
const index = "model.safetensors.index.json";
const shardName = /^model(-[0-9a-f]{8})?-\d{5}-of-\d{5}\.safetensors$/;

/**
 * Write the weights of a model as `model.safetensors`, or as shards with `model.safetensors.index.json`.
 *
 * @param folder The folder, made if there is none. Weights that are in it are replaced at once, when the new ones are on
 * the disk; shards of the old ones are removed after that.
 * @param tensors The tensors by name, or a source that reads them one by one, such as a Checkpoint of the same folder.
 * @param options Size of the shards, metadata and signal.
 * @throws {OptionError} If `maxShardSize` is no size.
 * @throws {FormatError} If a tensor is not what the source announced.
 * @throws {HubError} If `folder` is a URL of another scheme than `file:`.
 */
export async function writeCheckpoint(
  folder: string | URL,
  tensors: TensorSource | ReadonlyMap<string, Tensor>,
  options: WriteCheckpointOptions = {},
): Promise<void> {
  const source = sourceOf(tensors);
  const shards = splitIntoShards(source, parseSize(options.maxShardSize ?? "50GB"));
  const path = toPath(folder).replace(/(?<=.)[/\\]+$/, "");
  await Deno.mkdir(path, { recursive: true });
  await removeStaleFiles(path);
  const names = shards.length === 1 ? [single] : await unusedNames(path, shards.length);
  await writeShards(path, names, shards, source, options);
  if (shards.length === 1) {
    await removeIfThere(`${path}/${index}`);
  } else {
    await writeFileAtomically(`${path}/${index}`, indexOf(source, shards, names));
    // Readers look for the single file first, so only now the shards are the checkpoint.
    await removeIfThere(`${path}/${single}`);
  }
  for await (const { name } of Deno.readDir(path)) {
    if (shardName.test(name) && !names.includes(name)) await removeIfThere(`${path}/${name}`);
  }
}

/** Write all files, and only when the last is whole give them their names. */
async function writeShards(
  folder: string,
  names: readonly string[],
  shards: readonly string[][],
  source: TensorSource,
  options: WriteOptions,
): Promise<void> {
  using stack = new DisposableStack();
  const files: PendingFile[] = [];
  for (const [i, shard] of shards.entries()) {
    const file = stack.use(await PendingFile.create(`${folder}/${names[i]}`));
    const parameters = new Map(shard.map((name) => [name, source.parameters.get(name)!]));
    await writeTensors(file, file.target, { parameters, read: (name) => source.read(name) }, options);
    files.push(file);
  }
  for (const file of files) await file.commit();
}

/**
 * Split names into shards as huggingface_hub's `split_state_dict_into_shards_factory` does: in order, a new shard when the
 * next tensor does not fit, and a shard of its own for a tensor that is too large for any.
 */
function splitIntoShards(source: TensorSource, limit: number): string[][] {
  const shards: string[][] = [];
  let current: string[] = [];
  let bytes = 0;
  for (const [name, info] of source.parameters) {
    const size = byteLengthOf(info);
    if (size > limit) {
      shards.push([name]);
      continue;
    }
    if (bytes + size > limit) {
      shards.push(current);
      current = [];
      bytes = 0;
    }
    current.push(name);
    bytes += size;
  }
  if (current.length > 0 || shards.length === 0) shards.push(current);
  return shards;
}

/** The shards' usual names, or if one of them is taken, names with a tag. */
async function unusedNames(folder: string, count: number): Promise<string[]> {
  const taken = new Set<string>();
  for await (const { name } of Deno.readDir(folder)) taken.add(name);
  const number = (n: number) => String(n).padStart(5, "0");
  const named = (tag: string) =>
    Array.from({ length: count }, (_, i) => `model${tag}-${number(i + 1)}-of-${number(count)}.safetensors`);
  const usual = named("");
  return usual.some((name) => taken.has(name)) ? named(`-${crypto.randomUUID().slice(0, 8)}`) : usual;
}

function indexOf(source: TensorSource, shards: readonly string[][], names: readonly string[]): string {
  const infos = [...source.parameters.values()];
  const sum = (of: (info: (typeof infos)[number]) => number) => infos.reduce((total, info) => total + of(info), 0);
  const map = new Map(shards.flatMap((shard, i) => shard.map((name) => [name, names[i]] as const)));
  const lines = [...map.keys()].sort().map((name) => `    ${JSON.stringify(name)}: ${JSON.stringify(map.get(name))}`);
  const metadata = `    "total_parameters": ${sum(({ shape }) => sizeOf(shape))},\n    "total_size": ${
    sum(byteLengthOf)
  }`;
  return `{\n  "metadata": {\n${metadata}\n  },\n  "weight_map": {\n${lines.join(",\n")}\n  }\n}\n`;
}

const units: Readonly<Record<string, number>> = { KB: 1e3, MB: 1e6, GB: 1e9, KIB: 2 ** 10, MIB: 2 ** 20, GIB: 2 ** 30 };

/** A size in bytes from a number or from text with a unit, as Hugging Face's `max_shard_size` takes it. */
function parseSize(size: number | string): number {
  const parts = typeof size === "string" ? /^(\d+(?:\.\d+)?)\s*([KMG]i?B)$/i.exec(size.trim()) : null;
  const bytes = typeof size === "number" ? size : Number(parts?.[1]) * units[parts?.[2].toUpperCase() ?? ""];
  if (bytes > 0) return bytes;
  throw new OptionError(`Cannot take ${JSON.stringify(size)} as maxShardSize: expected bytes, or text such as "5GB"`);
}

async function removeIfThere(path: string): Promise<void> {
  try {
    await Deno.remove(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}
