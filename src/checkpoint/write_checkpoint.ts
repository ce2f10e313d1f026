// Writing a model's weights into a folder: one file, or shards with an index. At every moment the folder holds one whole
// checkpoint: all new files are on the disk, and shards have names that the old checkpoint does not use, before one rename
// makes them current; then the old ones are removed. Writers in other processes wait for a lock on the folder
// before they rename.
import { OptionError } from "../errors/mod.ts";
import { writing } from "../errors/writing.ts";
import { makeFolder } from "../hub/make_folder.ts";
import { checkNames, lockFolder, PendingFile, removeStaleFiles, syncFolder } from "../hub/atomic_file.ts";
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
  /** Small files by name that belong to the weights, such as config.json: they are replaced in the same moment. */
  files?: Readonly<Record<string, string>>;
}

const single = "model.safetensors";
const index = "model.safetensors.index.json";
const shardName = /^model(-[0-9a-f]{8})?-\d{5}-of-\d{5}\.safetensors$/;

/**
 * Write the weights of a model as `model.safetensors`, or as shards with `model.safetensors.index.json`.
 *
 * @param folder The folder, made if there is none. Weights that are in it are replaced at once, when the new ones are on
 * the disk; shards of the old ones are removed after that. A process killed at any moment leaves the old or the new ones.
 * @param tensors The tensors by name, or a source that reads them one by one, such as a Checkpoint of the same folder.
 * @param options Size of the shards, metadata and signal.
 * @throws {OptionError} If `maxShardSize` is no size.
 * @throws {FormatError} If a tensor is not what the source announced.
 * @throws {HubError} If `folder` is a URL of another scheme than `file:`.
 * @throws {WriteError} If a file cannot be written; the folder holds the weights that it held.
 */
export async function writeCheckpoint(
  folder: string | URL,
  tensors: TensorSource | ReadonlyMap<string, Tensor>,
  options: WriteCheckpointOptions = {},
): Promise<void> {
  const source = sourceOf(tensors);
  const shards = splitIntoShards(source, parseSize(options.maxShardSize ?? "50GB"));
  const path = await makeFolder(folder);
  await removeStaleFiles(path);

  using stack = new DisposableStack();
  const weights: PendingFile[] = [];
  for (const shard of shards) {
    const file = stack.use(await PendingFile.create(path, single));
    const parameters = new Map(shard.map((name) => [name, source.parameters.get(name)!]));
    await writeTensors(file, `${path}/${single}`, { parameters, read: (name) => source.read(name) }, options);
    await file.flush();
    weights.push(file);
  }
  const others = new Map<string, PendingFile>();
  for (const [name, content] of Object.entries(options.files ?? {})) {
    others.set(name, stack.use(await PendingFile.of(path, name, content)));
  }
  options.signal?.throwIfAborted();
  stack.use(await lockFolder(path));
  for (const [name, content] of Object.entries(options.files ?? {})) {
    // A file whose content does not change is left alone.
    if (await contentOf(`${path}/${name}`) === content) others.delete(name);
  }
  await checkNames(path, [...others.keys(), shards.length === 1 ? single : index]);
  if (shards.length === 1) await publish(path, others, new Map([[single, weights[0]]]));
  else {
    const names = await unusedNames(path, shards.length);
    const list = stack.use(await PendingFile.of(path, index, indexOf(source, shards, names)));
    for (const [i, file] of weights.entries()) await file.appear(names[i]);
    await syncFolder(path);
    await publish(path, others, new Map([[index, list]]), names);
  }
}

/** Make a checkpoint current, then remove the previous one. `current` is the file that readers look for first. */
async function publish(
  folder: string,
  others: ReadonlyMap<string, PendingFile>,
  current: ReadonlyMap<string, PendingFile>,
  shards: readonly string[] = [],
): Promise<void> {
  for (const [name, file] of [...others, ...current]) await file.appear(name);
  // Readers look for the single file before the index, so shards are the checkpoint only when it is gone.
  await removeIfThere(`${folder}/${current.has(single) ? index : single}`);
  await syncFolder(folder);
  for await (const { name } of Deno.readDir(folder)) {
    if (shardName.test(name) && !shards.includes(name)) await removeIfThere(`${folder}/${name}`);
  }
}

async function contentOf(path: string): Promise<string | undefined> {
  return await Deno.readTextFile(path).catch(() => undefined);
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

/** The shards' usual names, or names with a random tag if one of those is taken. */
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
  await writing(path, async () => {
    await Deno.remove(path).catch((error) => {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    });
  }, "remove");
}
