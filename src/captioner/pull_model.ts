// Everything that loading a model reads, fetched from the Hub into its cache, so that it can be loaded without a network.
import { openCheckpoint } from "../checkpoint/mod.ts";
import { FormatError, HubError, LimnerError } from "../errors/mod.ts";
import { openHubRepository, readJson, type RepositoryOptions } from "../hub/mod.ts";
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
 * and the tokenizer, and nothing else. What the cache has of it and cannot be read, because it is damaged, is fetched anew.
 *
 * @param name The model's name on the Hub.
 * @param options Which revision, for whom, and where the cache lies.
 * @throws {HubError} If it is not there, may not be had, cannot be reached, or has no weights.
 * @throws {FormatError} If its weights are malformed.
 */
export async function pullModel(name: string, options: RepositoryOptions = {}): Promise<PulledModel> {
  const repository = await openHubRepository(name, options);
  const commit = await repository.commit;
  let failures = await pullFrom(repository);
  const isMalformed = failures.some(({ error }) => error instanceof FormatError);
  if (isMalformed && await repository.removeDamaged()) failures = await pullFrom(repository);
  for (const { error, isNeeded } of failures) {
    if (isNeeded || !(error instanceof LimnerError) || (error instanceof HubError && error.code)) throw error;
  }
  const lacks = failures.map(({ error }) => (error as LimnerError).message);
  return { commit, folder: repository.snapshotOf(commit), lacks };
}

/** Why a part could not be read. */
interface Failure {
  readonly error: unknown;
  /** Whether no model can do without the part. */
  readonly isNeeded: boolean;
}

/** Read all parts of a model, which fetches them. */
async function pullFrom(repository: Awaited<ReturnType<typeof openHubRepository>>): Promise<readonly Failure[]> {
  const failures: Failure[] = [];
  const attempt = (isNeeded: boolean, part: Promise<unknown>) =>
    part.catch((error) => void failures.push({ error, isNeeded }));
  await Promise.all([
    ...["config.json", "generation_config.json"].map((file) => attempt(true, readJson(repository, file))),
    attempt(true, openCheckpoint(repository).then((checkpoint) => checkpoint.close())),
    attempt(false, AutoImageProcessor.fromPretrained(repository)),
    attempt(false, AutoTokenizer.fromPretrained(repository)),
  ]);
  return failures;
}
