// From a model's repository to its tokenizer: tokenizer.json where there is one, else the older files.
import { FormatError } from "../errors.ts";
import { openRepository, type RepositoryOptions } from "../hub/repository.ts";
import { checkDefinition } from "./_check_definition.ts";
import { fromOlderFiles } from "./_older_files.ts";
import { parseJson } from "./_parse_json.ts";
import { readSettings } from "./_settings.ts";
import { createTokenizer } from "./create_tokenizer.ts";
import type { TokenizerSettings } from "./definition.ts";
import type { Tokenizer } from "./tokenizer.ts";
import type { TokenizerFiles } from "./tokenizer_files.ts";

/** Loads tokenizers. */
export class AutoTokenizer {
  /**
   * Load the tokenizer of a model.
   *
   * @param source A folder's path, a `file:` URL, an `http:` or `https:` base URL, or an open repository.
   * @throws {HubError} If there is no such repository, or it has no tokenizer.
   * @throws {FormatError} If one of its files is malformed.
   */
  static async fromPretrained(
    source: string | URL | TokenizerFiles,
    options: RepositoryOptions = {},
  ): Promise<Tokenizer> {
    const files: TokenizerFiles = typeof source === "string" || source instanceof URL
      ? await openRepository(source, options)
      : source;
    const [text, config, specialTokensMap, addedTokens] = await Promise.all([
      files.readText("tokenizer.json"),
      readObject(files, "tokenizer_config.json"),
      readObject(files, "special_tokens_map.json"),
      readObject(files, "added_tokens.json"),
    ]);
    const settingsFor = (fallbackClass?: string): TokenizerSettings =>
      readSettings({ config, specialTokensMap, addedTokens }, fallbackClass, files.name);
    const name = `${files.name}/tokenizer.json`;
    const built = text === undefined
      ? await fromOlderFiles(files, settingsFor)
      : { content: parseJson(text, name), name, settings: settingsFor() };
    return createTokenizer(checkDefinition(built.content, built.name), built.settings, built.name);
  }
}

async function readObject(files: TokenizerFiles, file: string): Promise<Record<string, unknown> | undefined> {
  const text = await files.readText(file);
  if (text === undefined) return undefined;
  const name = `${files.name}/${file}`;
  const value = parseJson(text, name);
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  throw new FormatError(`Could not read ${name}: it holds no JSON object, and one was expected`, { file: name });
}
