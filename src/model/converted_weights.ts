// Weights of the Hub's .bin files that cannot be used as they lie in its cache (compressed or strided ones, and ones of half
// precision where a backend maps float32), written once as safetensors into a cache of Limner's own. Think of it as what a
// compiler keeps of sources: named by their content, and no loss if it is gone.
import { type Checkpoint, openCheckpoint, type TensorSource, writeCheckpoint } from "../checkpoint/mod.ts";
import { FormatError } from "../errors/mod.ts";
import { writing } from "../errors/writing.ts";
import type { Backend } from "../graph/mod.ts";
import { openRepository, type Repository } from "../hub/mod.ts";
import { lockFile } from "../hub/cache/file_lock.ts";
import { limnerCacheFolder } from "../hub/environment.ts";
import type { LoadOptions } from "./load_options.ts";
import type { OpenedWeights } from "./open_weights.ts";
import { bytesPerElement, type DataType, Tensor, toFloat32 } from "../tensor/mod.ts";
import type { StoredWeight } from "../weights/mod.ts";

/** What lies in the cache of converted weights. */
export interface ConvertedWeights {
  /** The repository that they are of. */
  readonly name: string;
  readonly folder: string;
  readonly bytes: number;
}

const weightsFile = "model.safetensors";
const sourceFile = "source.json";

/** Weights are read ahead while others are written, so many bytes of them. */
const readAhead = 256 << 20;

/** How a backend has a weight that was converted. */
interface Form {
  readonly dataType: DataType;
  readonly shape: readonly number[];
  /** What the converted file calls it. */
  readonly name: string;
}

/**
 * The converted weights of a repository where there are any, and how to make them where that is worth it.
 *
 * @param checkpoint The weights as they are published.
 * @param backend What the weights are for.
 */
export async function openConvertible(
  checkpoint: Checkpoint,
  repository: Repository,
  backend: Promise<Pick<Backend, "mapsFiles">>,
  options: LoadOptions,
): Promise<OpenedWeights> {
  const folder = convertedFolder();
  if (!folder) return { checkpoint };
  const mapsFiles = (await backend).mapsFiles ?? false;
  if (!isWorthIt(checkpoint, mapsFiles)) return { checkpoint };
  const forms = formsOf(checkpoint, mapsFiles);
  const key = await keyOf(repository, checkpoint, forms);
  if (!key) return { checkpoint };
  const place = `${folder}/${key}`;
  const converted = await openConverted(place, checkpoint, forms);
  if (converted) return { checkpoint: converted };
  return { checkpoint, convert: () => convert(checkpoint, forms, place, options) };
}

/** Whether a backend can use a weight as it lies in its file. */
function liesReady({ region, dataType }: StoredWeight, mapsFiles: boolean): boolean {
  return region !== undefined && !(mapsFiles && isHalf(dataType));
}

function isHalf(dataType: DataType): boolean {
  return dataType === "float16" || dataType === "bfloat16";
}

/** Whether a good part of the bytes lies nowhere in a file as a backend needs them. */
function isWorthIt({ parameters }: Checkpoint, mapsFiles: boolean): boolean {
  let all = 0, ready = 0;
  for (const weight of parameters.values()) {
    all += bytesOf(weight);
    if (liesReady(weight, mapsFiles)) ready += bytesOf(weight);
  }
  return all - ready > all / 10;
}

/** What is written of each weight: those of several names once, those of half precision as float32 if that is mapped. */
function formsOf({ parameters }: Checkpoint, mapsFiles: boolean): Map<StoredWeight, Form> {
  const forms = new Map<StoredWeight, Form>();
  for (const [name, weight] of parameters) {
    const { dataType, shape } = weight;
    const form = { name, shape, dataType: mapsFiles && isHalf(dataType) ? "float32" as const : dataType };
    if (!forms.has(weight)) forms.set(weight, form);
  }
  return forms;
}

/** What converted weights are called: by the content of the files that they are of, and by the type that they have. */
async function keyOf(
  repository: Repository,
  checkpoint: Checkpoint,
  forms: ReadonlyMap<StoredWeight, Form>,
): Promise<string | undefined> {
  const blobs = await Promise.all(checkpoint.files.map((file) => repository.blobOf!(file)));
  if (blobs.some((blob) => blob === undefined)) return undefined;
  const hash = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(blobs.join()));
  const key = blobs.length === 1 ? blobs[0]! : new Uint8Array(hash).toHex();
  return [...forms].some(([weight, { dataType }]) => weight.dataType !== dataType) ? `${key}-float32` : key;
}

/** The weights as they lie converted; what was widened is still read in its own type from where it was published. */
async function openConverted(
  place: string,
  checkpoint: Checkpoint,
  forms: ReadonlyMap<StoredWeight, Form>,
): Promise<Checkpoint | undefined> {
  try {
    await Deno.stat(`${place}/${weightsFile}`);
    const converted = await openCheckpoint(await openRepository(place));
    return checkpoint.replaced((weight) => {
      const { name, dataType } = forms.get(weight)!;
      const found = converted.find(name);
      if (!found) throw new FormatError(`Cannot find ${name} in ${place}`);
      return dataType === weight.dataType ? found : { ...weight, widened: found.region! };
    });
  } catch {
    return undefined; // it is not there, or damaged: then it is written anew
  }
}

async function convert(
  checkpoint: Checkpoint,
  forms: ReadonlyMap<StoredWeight, Form>,
  place: string,
  { signal, onProgress }: LoadOptions,
): Promise<Checkpoint | undefined> {
  const byName = new Map([...forms].map(([weight, form]) => [form.name, { weight, form }]));
  const total = [...forms.values()].reduce((sum, form) => sum + bytesOf(form), 0);
  let done = 0;
  const source: TensorSource = {
    parameters: new Map([...forms.values()].map((form) => [form.name, form])),
    async read(name) {
      const { weight, form } = byName.get(name)!;
      const tensor = inForm(await weight.load(), form);
      onProgress?.({ stage: "converting", done: done += tensor.data.byteLength, total });
      return tensor;
    },
  };
  const open = () => openConverted(place, checkpoint, forms);
  try {
    await Deno.mkdir(place, { recursive: true });
    using _lock = await lockFile(`${place}/.lock`, signal);
    // Another process may have been as fast.
    const known = await open();
    if (known) return known;
    const files = { [sourceFile]: `${JSON.stringify({ name: checkpoint.name })}\n` };
    await writeCheckpoint(place, source, { signal, files, readAhead });
    return await open();
  } catch (error) {
    if (signal?.aborted) throw error;
    return undefined; // a full disk, or one that may not be written: the weights serve as they are
  }
}

function inForm(tensor: Tensor, { dataType, shape }: Form): Tensor {
  return dataType === tensor.dataType ? tensor : new Tensor(dataType, shape, toFloat32(tensor.dataType, tensor.data));
}

function bytesOf({ dataType, shape }: Pick<StoredWeight, "dataType" | "shape">): number {
  return bytesPerElement(dataType) * shape.reduce((product, length) => product * length, 1);
}

function convertedFolder(): string | undefined {
  const folder = limnerCacheFolder();
  return folder && `${folder}/converted`;
}

/**
 * What lies in the cache of converted weights, and where that is.
 *
 * @returns The folder, undefined where none is known, and the weights by name.
 */
export async function listConverted(): Promise<{ folder: string | undefined; weights: ConvertedWeights[] }> {
  const folder = convertedFolder();
  const weights: ConvertedWeights[] = [];
  const entries = folder ? await Array.fromAsync(Deno.readDir(folder)).catch(() => []) : [];
  for (const { name: blob } of entries) {
    const place = `${folder}/${blob}`;
    const { name = blob } = await Deno.readTextFile(`${place}/${sourceFile}`).then(JSON.parse).catch(() => ({}));
    let bytes = 0;
    for (const file of await Array.fromAsync(Deno.readDir(place)).catch(() => [])) {
      bytes += await Deno.stat(`${place}/${file.name}`).then(({ size }) => size, () => 0);
    }
    weights.push({ name: String(name), folder: place, bytes });
  }
  return { folder, weights: weights.sort((a, b) => a.name < b.name ? -1 : 1) };
}

/** Remove all converted weights; those that are in use stay readable where the system lets open files be removed. */
export async function clearConverted(): Promise<void> {
  const { weights } = await listConverted();
  for (const { folder } of weights) await writing(folder, () => Deno.remove(folder, { recursive: true }), "remove");
}
