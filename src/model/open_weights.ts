// The weights of a repository as a model takes them: as they are published, or as they were converted once.
import { type Checkpoint, openCheckpoint } from "../checkpoint/checkpoint.ts";
import type { Backend } from "../graph/mod.ts";
import type { Repository } from "../hub/mod.ts";
import type { LoadOptions } from "./load_options.ts";

/** The weights of a repository, and how to have better ones from now on where that is worth it. */
export interface OpenedWeights {
  readonly checkpoint: Checkpoint;
  /** Convert them; undefined where they can be used as they are. Gives undefined where it cannot be done. */
  readonly convert?: () => Promise<Checkpoint | undefined>;
}

/**
 * Open a repository's weights: the converted ones where there are any.
 *
 * @param backend What the weights are for.
 */
export async function openWeights(
  repository: Repository,
  backend: Promise<Pick<Backend, "mapsFiles">>,
  options: LoadOptions,
): Promise<OpenedWeights> {
  const checkpoint = await openCheckpoint(repository);
  // Only the Hub's .bin files are ever converted.
  if (options.convertWeights === false || !repository.blobOf) return { checkpoint };
  if (!checkpoint.files.every((file) => file.endsWith(".bin"))) return { checkpoint };
  const { openConvertible } = await import("./converted_weights.ts");
  return await openConvertible(checkpoint, repository, backend, options);
}
