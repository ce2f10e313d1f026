// From a model's repository to its tokenizer: tokenizer.json where there is one, else the older files.
import { FormatError, HubError } from "../errors.ts";
import { openRepository } from "../hub/repository.ts";
import { checkDefinition } from "./_check_definition.ts";
import { readSettings } from "./_settings.ts";
import { createTokenizer } from "./create_tokenizer.ts";
import type { Tokenizer } from "./tokenizer.ts";

/** What a tokenizer is read from: a folder of files, wherever it lies. */
export interface TokenizerFiles {
  /** What messages call it. */
  readonly name: string;
  /** The text of a file, or undefined if there is none of that name. */
  readText(file: string): Promise<string | undefined>;
  /** The bytes of a file, or undefined if there is none of that name. */
  readBytes?(file: string): Promise<Uint8Array | undefined>;
}

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
    options: { signal?: AbortSignal } = {},
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
    const name = `${files.name}/tokenizer.json`;
    if (text === undefined) {
      throw new HubError(`Could not load a tokenizer from ${files.name}: it has no tokenizer.json, which was expected`);
    }
    const settings = readSettings({ config, specialTokensMap, addedTokens }, undefined, files.name);
    return createTokenizer(checkDefinition(parse(text, name), name), settings, name);
  }
}

async function readObject(files: TokenizerFiles, file: string): Promise<Record<string, unknown> | undefined> {
  const text = await files.readText(file);
  if (text === undefined) return undefined;
  const name = `${files.name}/${file}`;
  const value = parse(text, name);
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  throw new FormatError(`Could not read ${name}: it holds no JSON object, and one was expected`, { file: name });
}

function parse(text: string, name: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new FormatError(`Could not read ${name}: it is not JSON (${(error as Error).message})`, { file: name });
  }
}
