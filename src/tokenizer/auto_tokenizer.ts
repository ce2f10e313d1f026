// From a model's repository to its tokenizer, as in Transformers 5: the class that the files name is built from the
// vocabulary; a class that is not known is built from tokenizer.json alone.
import { explained } from "../errors/explained.ts";
import { ConfigError } from "../errors/mod.ts";
import { readJson } from "../hub/read_json.ts";
import { type Limits, resolveLimits } from "../limits/mod.ts";
import { nameOf, openRepository, type RepositoryOptions } from "../hub/open_repository.ts";
import { checkDefinition } from "./files/check_definition.ts";
import { bertJapanese } from "./files/bert_japanese.ts";
import { contentOf, type Json, readSettings, type Role, type SettingsFiles } from "./files/tokenizer_settings.ts";
import { readVocabularyFile, vocabularyOfTokenizerJson } from "./files/vocabulary_files.ts";
import type { TokenizerClass } from "./files/tokenizer_class.ts";
import { classOfModel, tokenizerClasses } from "./files/tokenizer_classes.ts";
import { createTokenizer } from "./create_tokenizer.ts";
import type { Tokenizer } from "./tokenizer.ts";
import type { TokenizerDefinition } from "./files/definition.ts";
import type { TokenizerFiles } from "./files/tokenizer_files.ts";

const classes: Readonly<Record<string, TokenizerClass>> = { ...tokenizerClasses, BertJapaneseTokenizer: bertJapanese };

/** Loads tokenizers. */
export class AutoTokenizer {
  /**
   * Load the tokenizer of a model.
   *
   * @param source A folder's path, a `file:` URL, an `http:` or `https:` base URL, a name on the Hub, or an open
   * repository.
   * @param options As for models: revision, cache, signal, and `limits`.
   * @throws {HubError} If there is no such repository, or it has no tokenizer.
   * @throws {FormatError} If one of its files is malformed.
   * @throws {LimitError} If it has more tokens than `limits.maxTokens`, or a pattern takes longer than
   * `limits.patternMilliseconds` on an added token; encoding and decoding throw it too.
   * @throws {ConfigError} If its files are not enough for the class that they name.
   */
  static fromPretrained(
    source: string | URL | TokenizerFiles,
    options: RepositoryOptions & { readonly limits?: Partial<Limits> } = {},
  ): Promise<Tokenizer> {
    return explained(
      () => `Cannot load the tokenizer of ${nameOf(source)}`,
      () => AutoTokenizer.#load(source, options),
    );
  }

  static async #load(
    source: string | URL | TokenizerFiles,
    { limits: given, ...options }: RepositoryOptions & { readonly limits?: Partial<Limits> },
  ): Promise<Tokenizer> {
    const limits = resolveLimits(given);
    const files: TokenizerFiles = typeof source === "string" || source instanceof URL
      ? await openRepository(source, options)
      : source;
    const [tokenizer, config, specialTokensMap, addedTokens, modelConfig] = await readFiles(files);
    const name = `${files.name}/tokenizer.json`;
    const definition = tokenizer && checkDefinition(tokenizer, name, limits);
    const vocabulary = definition ? vocabularyOfTokenizerJson(definition, name) : await readVocabularyFile(files);
    const named = nameOfClass(config, modelConfig, files.name) ?? vocabulary.fallbackClass;
    const className = named === "LlamaTokenizer" && definition && isByteLevel(definition) ? "TokenizersBackend" : named;
    const settingsFiles: SettingsFiles = {
      config,
      specialTokensMap,
      addedTokens,
      tokenizer,
      pieces: vocabulary.pieces,
    };
    if (!Object.hasOwn(classes, className)) {
      if (!definition) throw unknownClass(className, vocabulary.name);
      return await createTokenizer(definition, {
        className,
        name,
        settings: readSettings(settingsFiles, {}, files.name),
        limits,
      });
    }
    const tokenizerClass = classes[className];
    const read = readSettings(settingsFiles, tokenizerClass, files.name);
    const token = (role: Role): string => contentOf(read.special.get(`${role}_token`) ?? "None");
    const from = vocabulary.vocabularyFor(tokenizerClass, className, { options: read.options, token });
    const { unkId } = from;
    const settings = unkId === undefined ? read : { ...read, options: { ...read.options, unk_id: unkId } };
    const forClass = { options: settings.options, token };
    const parts = tokenizerClass.parts(from, forClass);
    const built = tokenizerClass.takesWholeFile && definition ? definition : checkDefinition(
      {
        version: "1.0",
        added_tokens: [],
        post_processor: from.postProcessor ?? null,
        ...parts,
        model: { type: tokenizerClass.model, ...parts.model, vocab: from.vocab, merges: from.merges },
      },
      vocabulary.name,
      limits,
    );
    const { inPython } = tokenizerClass;
    const surroundingTokens = tokenizerClass.surroundingTokens?.(forClass);
    return await createTokenizer(built, {
      className,
      name: vocabulary.name,
      settings,
      limits,
      inPython,
      surroundingTokens,
    });
  }
}

/** What the JSON files of a tokenizer hold, and the model's own. */
function readFiles(files: TokenizerFiles): Promise<(Json | undefined)[]> {
  const names = ["tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json"];
  return Promise.all([...names, "config.json"].map((file) => readJson(files, file)));
}

/** The class that the files name, without its older `Fast` ending; undefined where they name none. */
function nameOfClass(config: Json | undefined, model: Json | undefined, repository: string): string | undefined {
  // Transformers builds the tokenizers of Donut's own repositories from their tokenizer.json.
  if (/^naver-clova-ix\/donut-/i.test(repository)) return "TokenizersBackend";
  const named = config?.tokenizer_class ?? model?.tokenizer_class ?? classOfModel[String(model?.model_type)];
  return typeof named === "string" ? named.replace(/Fast$/, "") : undefined;
}

/** Whether a tokenizer.json is byte-level, as those of later Llamas are, whose files name the first Llama's class. */
function isByteLevel({ normalizer, pre_tokenizer, post_processor, decoder }: TokenizerDefinition): boolean {
  return JSON.stringify([normalizer, pre_tokenizer, post_processor, decoder]).includes('"ByteLevel"');
}

function unknownClass(className: string, file: string): ConfigError {
  return new ConfigError(
    `Cannot build a ${className} from ${file}: a tokenizer.json, or one of the classes ${
      Object.keys(classes).sort().join(", ")
    } was expected`,
    "tokenizer_class",
  );
}
