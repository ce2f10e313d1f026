// config.json of a repository, or what the repository is instead of a model.
import { ConfigError } from "../../errors/mod.ts";
import { readJson, type Repository, whyMissing } from "../../hub/mod.ts";

/**
 * Read config.json.
 *
 * @param what What is loaded, for messages, such as `the model`.
 * @throws {ConfigError} If there is none.
 * @throws {FormatError} If it is no JSON object.
 */
export async function readConfig(repository: Repository, what: string): Promise<Record<string, unknown>> {
  const values = await readJson(repository, "config.json");
  if (values) return values;
  const why = whyMissing(repository, ["config.json"]);
  const { whyNoWeights } = await import("../../checkpoint/missing_weights.ts");
  const instead = await whyNoWeights(repository);
  throw new ConfigError(
    `Cannot load ${what} ${repository.name}: it has no config.json${why}${instead ? `, but ${instead}` : ""}`,
    "config.json",
  );
}
