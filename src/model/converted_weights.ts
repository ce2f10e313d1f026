// Weights of the Hub that cannot be used as they lie in its cache, compressed or strided ones, written once as safetensors
// into a cache of Limner's own. Think of it as what a compiler keeps of sources: named by their content, and no loss if it
// is gone.
import { type Checkpoint, openCheckpoint, type TensorSource, writeCheckpoint } from "../checkpoint/mod.ts";
import { limnerCacheFolder, lockFile, openRepository, type Repository } from "../hub/mod.ts";
import type { LoadOptions } from "./load_options.ts";
import { bytesPerElement } from "../tensor/mod.ts";
import type { StoredWeight } from "../weights/mod.ts";

/** The weights of a repository, and how to have better ones from now on where that is worth it. */
export interface OpenedWeights {
  readonly checkpoint: Checkpoint;
  /** Convert them; undefined where they can be used as they are. Gives undefined where it cannot be done. */
  readonly convert?: () => Promise<Checkpoint | undefined>;
}

/** What lies in the cache of converted weights. */
export interface ConvertedWeights {
  /** The repository that they are of. */
  readonly name: string;
  readonly folder: string;
  readonly bytes: number;
}

const weightsFile = "model.safetensors";
const sourceFile = "source.json";

/** Open a repository's weights: the converted ones where there are any. */
export async function openWeights(repository: Repository, options: LoadOptions): Promise<OpenedWeights> {
  const place = options.convertWeights === false ? undefined : await placeOf(repository);
  const converted = place && await openConverted(place);
  if (converted) return { checkpoint: converted };
  const checkpoint = await openCheckpoint(repository);
  if (!place || !isWorthIt(checkpoint)) return { checkpoint };
  return { checkpoint, convert: () => convert(checkpoint, repository.name, place, options) };
}

/** The folder that converted weights of a repository have; undefined where they are used as they are. */
async function placeOf(repository: Repository): Promise<string | undefined> {
  const folder = repository.blobOf && convertedFolder();
  if (!folder || await repository.open(weightsFile) || await repository.open(`${weightsFile}.index.json`)) {
    return undefined;
  }
  const blob = await repository.blobOf!("pytorch_model.bin");
  return blob && `${folder}/${blob}`;
}

async function openConverted(place: string): Promise<Checkpoint | undefined> {
  try {
    await Deno.stat(`${place}/${weightsFile}`);
    return await openCheckpoint(await openRepository(place));
  } catch {
    return undefined; // it is not there, or damaged: then it is written anew
  }
}

/** Whether a good part of the bytes lies nowhere in a file as a tensor needs them. */
function isWorthIt({ parameters }: Checkpoint): boolean {
  let all = 0, lying = 0;
  for (const weight of parameters.values()) {
    all += bytesOf(weight);
    if (weight.region) lying += bytesOf(weight);
  }
  return all - lying > all / 10;
}

async function convert(
  checkpoint: Checkpoint,
  name: string,
  place: string,
  { signal, onProgress }: LoadOptions,
): Promise<Checkpoint | undefined> {
  const total = [...checkpoint.parameters.values()].reduce((sum, weight) => sum + bytesOf(weight), 0);
  let done = 0;
  const source: TensorSource = {
    parameters: checkpoint.parameters,
    async read(name) {
      const tensor = await checkpoint.read(name);
      onProgress?.({ stage: "converting", done: done += tensor.data.byteLength, total });
      return tensor;
    },
  };
  try {
    await Deno.mkdir(place, { recursive: true });
    using _lock = await lockFile(`${place}/.lock`, signal);
    // Another process may have been as fast.
    const files = { [sourceFile]: `${JSON.stringify({ name })}\n` };
    return await openConverted(place) ??
      (await writeCheckpoint(place, source, { signal, files, readAhead: true }), await openConverted(place));
  } catch (error) {
    if (signal?.aborted) throw error;
    return undefined; // a full disk, or one that may not be written: the weights serve as they are
  }
}

function bytesOf({ dataType, shape }: StoredWeight): number {
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
  for (const { folder } of weights) await Deno.remove(folder, { recursive: true });
}
