// readCheckpoint(), which users call: all tensors of a file or folder at once, under the file's own names.
import { FormatError, HubError } from "../errors/mod.ts";
import { FileSource, openRepository, toPath } from "../hub/mod.ts";
import type { Tensor } from "../tensor/mod.ts";
import { openShards, openWeightFiles } from "./checkpoint.ts";
import { openWeightFile } from "./open_weight_file.ts";
import type { StoredWeight } from "../weights/mod.ts";
import type { TensorTable } from "./tensor_table.ts";

/**
 * Read a checkpoint: safetensors, a sharded index, or a PyTorch file (zip or legacy). Nothing in the file is executed.
 *
 * @param path A weight file, the index of shards, or a folder that holds `model.safetensors` or `pytorch_model.bin`; a
 * path or a `file:` or `http(s):` URL. Nested dictionaries become dotted names.
 * @returns The tensors by the names in the file, each in its own data type. Names that share all of a tensor (tied
 * weights of a PyTorch file) share it here too.
 * @throws {FormatError} If a file is malformed; the message names it, the tensor and the byte.
 * @throws {HubError} If there is no such file.
 */
export async function readCheckpoint(path: string | URL): Promise<Map<string, Tensor>> {
  const tensors = new Map<string, Tensor>();
  const shared = new Map<StoredWeight, Tensor>();
  const table = await openTable(path);
  for (const unreadable of table.unreadable.values()) throw unreadable;
  for (const [name, stored] of table) {
    const tensor = shared.get(stored) ?? await loadNamed(name, () => stored.load());
    shared.set(stored, tensor);
    tensors.set(name, tensor);
  }
  return tensors;
}

async function loadNamed(name: string, load: () => Promise<Tensor>): Promise<Tensor> {
  try {
    return await load();
  } catch (error) {
    if (!(error instanceof FormatError)) throw error;
    const details = { ...error.details, tensor: name };
    throw new FormatError(`${error.message} (tensor ${JSON.stringify(name)})`, details, { cause: error });
  }
}

async function openTable(path: string | URL): Promise<TensorTable> {
  const remote = /^https?:\/\//i.test(String(path));
  const place = remote ? new URL(path) : toPath(path);
  if (await isFolder(place)) return (await openWeightFiles(await openRepository(place))).table;

  const [folder, file] = splitPath(place);
  // A local file is opened by itself: reading its folder may not be allowed.
  const source = place instanceof URL ? await (await openRepository(folder)).open(file) : await FileSource.open(place);
  if (!source) throw new HubError(`Cannot read ${path}: there is no such file`);
  if (!file.endsWith(".json")) return await openWeightFile(source);
  return (await openShards(await openRepository(folder), source)).table;
}

/** Whether a place is a folder: a URL is judged by its name, a path by what lies there. */
async function isFolder(place: string | URL): Promise<boolean> {
  if (place instanceof URL) return !/\.(safetensors|bin|pth?|ckpt|json)$/.test(place.pathname);
  return await Deno.stat(place).then((info) => info.isDirectory, () => false);
}

/** The folder of a file, and its name. */
function splitPath(place: string | URL): [folder: string | URL, file: string] {
  if (place instanceof URL) {
    const base = new URL(".", place);
    base.search = place.search;
    try {
      return [base, decodeURIComponent(place.pathname.slice(place.pathname.lastIndexOf("/") + 1))];
    } catch (error) {
      throw new HubError(`Cannot read ${place}: its escapes are no UTF-8`, { cause: error });
    }
  }
  const parts = /^(.*[/\\])?([^/\\]*)$/s.exec(place)!;
  return [parts[1] ?? ".", parts[2]];
}
