// Everything that loading a model reads, fetched from the Hub into its cache, so that it can be loaded without a network.
import { openCheckpoint } from "../checkpoint/mod.ts";
import { HubError, LimnerError } from "../errors/mod.ts";
import { openHubRepository, type RepositoryOptions } from "../hub/mod.ts";
import { AutoImageProcessor } from "../image/mod.ts";
import { AutoTokenizer } from "../tokenizer/mod.ts";

/** A model that lies in the cache. */
export interface PulledModel {
  /** The commit that the revision is at. */
  readonly commit: string;
  /** The folder of its files, from which it can be loaded by path too. */
  readonly folder: string;
  /** What it lacks to read pictures by itself, as messages: an encoder has no tokenizer, a decoder no image processor. */
  readonly lacks: readonly string[];
}

/**
 * Fetch a model of the Hub into the cache: configurations, weights (safetensors where there are any), the image processor
 * and the tokenizer, and nothing else.
 *
 * @param name The model's name on the Hub.
 * @param options Which revision, for whom, and where the cache lies.
 * @throws {HubError} If it is not there, may not be had, cannot be reached, or has no weights.
 * @throws {FormatError} If its weights are malformed.
 */
export async function pullModel(name: string, options: RepositoryOptions = {}): Promise<PulledModel> {
  const repository = await openHubRepository(name, options);
  const commit = await repository.commit;
  const lacks: string[] = [];
  const attempt = (part: Promise<unknown>) =>
    part.catch((error) => {
      if (!(error instanceof LimnerError) || (error instanceof HubError && error.code)) throw error;
      lacks.push(error.message);
    });
  await Promise.all([
    ...["config.json", "generation_config.json"].map((file) => repository.readText(file)),
    openCheckpoint(repository).then((checkpoint) => checkpoint.close()),
    attempt(AutoImageProcessor.fromPretrained(repository)),
    attempt(AutoTokenizer.fromPretrained(repository)),
  ]);
  return { commit, folder: repository.snapshotOf(commit), lacks };
}
