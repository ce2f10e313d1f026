// From a model's repository to its image processor.
import { explained } from "../../errors/explained.ts";
import { ConfigError, HubError, LimitError } from "../../errors/mod.ts";
import { whyMissing } from "../../hub/network/absent_files.ts";
import type { Limits } from "../../limits/mod.ts";
import { isRecord, readJson } from "../../hub/read_json.ts";
import { nameOf, openRepository, type RepositoryOptions } from "../../hub/open_repository.ts";
import { createImageProcessor, type ImageProcessor } from "./image_processor.ts";
import { processorType } from "./processor_config.ts";

/** What an image processor is read from: a folder of text files, wherever it lies. */
export interface TextFiles {
  /** What messages call it. */
  readonly name: string;
  /** The text of a file, or undefined if there is none of that name. */
  readText(file: string): Promise<string | undefined>;
  /** What was answered for a file that is not there, where that may mean something else: for messages. */
  whyMissing?(file: string): string | undefined;
}

/** Loads image processors. */
export class AutoImageProcessor {
  /**
   * Load the image processor of a model.
   *
   * @param source A folder's path, a `file:` URL, an `http:` or `https:` base URL, a name on the Hub, or an open
   * repository.
   * @throws {HubError} If there is no such repository, or it has no preprocessor_config.json.
   * @throws {FormatError} If the file is not JSON.
   * @throws {ConfigError} If the processor is unknown, or a value cannot work.
   * @throws {LimitError} If every picture would take more pixels than are allowed.
   */
  static fromPretrained(
    source: string | URL | TextFiles,
    options: RepositoryOptions & { readonly limits?: Partial<Limits> } = {},
  ): Promise<ImageProcessor> {
    const task = () => `Cannot load the image processor of ${nameOf(source)}`;
    return explained(task, () => AutoImageProcessor.#load(source, options));
  }

  static async #load(
    source: string | URL | TextFiles,
    { limits, ...options }: RepositoryOptions & { readonly limits?: Partial<Limits> },
  ): Promise<ImageProcessor> {
    const repository = typeof source === "string" || source instanceof URL
      ? await openRepository(source, options)
      : source;
    const config = await readConfig(repository);
    const encoder = await encoderOf(repository);
    try {
      const channels = encoder.num_channels === 1 ? 1 : undefined;
      return createImageProcessor(processorType(config, encoder.model_type), config, { channels, limits });
    } catch (error) {
      if (error instanceof LimitError) {
        throw new LimitError(`${error.message} (${repository.name})`, error.details, { cause: error });
      }
      if (!(error instanceof ConfigError)) throw error;
      throw new ConfigError(`${error.message} (${repository.name})`, error.key, { cause: error });
    }
  }
}

async function readConfig(repository: TextFiles): Promise<Record<string, unknown>> {
  // Newer processors keep both their parts in one file, which comes first where there are both.
  const shared = (await readJson(repository, "processor_config.json"))?.image_processor;
  if (typeof shared === "object" && shared !== null) return shared as Record<string, unknown>;
  const own = await readJson(repository, "preprocessor_config.json");
  if (own) return own;
  throw new HubError(
    `Cannot load an image processor from ${repository.name}: it has no preprocessor_config.json, which was expected${
      whyMissing(repository, ["preprocessor_config.json"])
    }`,
  );
}

/** What the repository's model says of its encoder; nothing where the repository has none. */
async function encoderOf(repository: TextFiles): Promise<{ model_type?: string; num_channels?: unknown }> {
  const config = await readJson(repository, "config.json") ?? {};
  return isRecord(config.encoder) ? config.encoder : config;
}
