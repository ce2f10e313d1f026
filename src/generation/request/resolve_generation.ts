// A generation resolved: its settings, and the prompts, the lengths and the padding that follow from several of them.
import { ConfigError, OptionError } from "../../errors/mod.ts";
import { defaultLimits, demand, type Limits } from "../../limits/mod.ts";
import { checkConflicts, checkSupported } from "./conflicts.ts";
import type { GenerationConfig } from "./generation_config.ts";
import type { GenerateOptions } from "./generate_options.ts";
import type { Generation } from "./generation.ts";
import { type GenerationSettings, readSettings } from "./settings.ts";

/** What a generation depends on besides its settings. */
export interface Subject {
  /** How many pictures. */
  readonly batch: number;
  readonly vocabularySize: number;
  /** The positions that the decoder has; a row's last token needs none. */
  readonly maxPositions?: number;
  /** Whether the start token is put before prompts that lack it. */
  readonly prependsStart: boolean;
  /** The most that may be asked for. @default defaultLimits */
  readonly limits?: Limits;
  /** The bytes that so many rows of so many positions take. @default none are counted */
  readonly bytesOf?: (rows: number, positions: number) => number;
}

/** How many tokens are added when nothing says so: the default of transformers.GenerationConfig. */
const defaultNewTokens = 20;

/**
 * Resolve a generation: read its settings, and find what follows from them.
 *
 * @param model The model's generation settings.
 * @param options A person's options.
 * @throws {OptionError} If an option does not exist or cannot be honoured.
 * @throws {LimitError} If it asks for more beams, rows or bytes than are allowed.
 * @throws {ConfigError} If no start token is known.
 */
export function resolveGeneration(model: GenerationConfig, options: GenerateOptions, subject: Subject): Generation {
  const settings = readSettings(model, options, subject.vocabularySize);
  const prompts = promptsOf(settings, subject);
  const promptLength = prompts[0].length;
  const maxLength = maxLengthOf(settings, options, subject, promptLength);
  // A sequence that is longer than any text cannot come again.
  const noRepeatNgramSize = settings.noRepeatNgramSize < maxLength ? settings.noRepeatNgramSize : 0;
  const padTokenId = paddingOf(settings, subject);
  const generation = { ...settings, noRepeatNgramSize, prompts, promptLength, maxLength, padTokenId };
  checkSize(generation, options, subject);
  checkSupported(model, generation);
  checkConflicts(generation, options, subject.vocabularySize);
  return generation;
}

/**
 * What each row begins with, the start token first where it is put before prompts.
 *
 * @param options A person's; others than those of prompts are not looked at.
 * @throws {LimnerError} As `resolveGeneration`, where the prompts are at fault.
 */
export function resolvePrompts(
  model: GenerationConfig,
  options: Pick<GenerateOptions, "decoderInputIds" | "decoderStartTokenId" | "bosTokenId">,
  subject: Subject,
): readonly (readonly number[])[] {
  const { decoder_start_token_id, bos_token_id } = model;
  return promptsOf(readSettings({ decoder_start_token_id, bos_token_id }, options, subject.vocabularySize), subject);
}

/** The token that each row begins with, if any is known. */
function startTokens(
  { startTokenIds, bosTokenId }: GenerationSettings,
  { batch, vocabularySize }: Subject,
): readonly number[] | undefined {
  const ids = startTokenIds.length > 0 ? startTokenIds : [bosTokenId ?? []].flat();
  if (ids.length === 0) return undefined;
  if (ids.some((id) => id < 0 || id >= vocabularySize)) {
    throw new OptionError(`Cannot generate from the start token ${ids}: there are ${vocabularySize} tokens`);
  }
  if (ids.length === 1) return Array(batch).fill(ids[0]);
  if (ids.length === batch) return ids;
  throw new OptionError(
    `Cannot generate with decoderStartTokenId = ${ids}: expected one id, or one for each of ${batch} pictures`,
  );
}

function promptsOf(settings: GenerationSettings, subject: Subject): readonly (readonly number[])[] {
  const { decoderInputIds: given } = settings;
  const start = startTokens(settings, subject);
  if (given && given.length !== subject.batch) {
    throw new OptionError(
      `Cannot generate: there are ${subject.batch} pictures, but decoderInputIds has ${given.length} rows`,
    );
  }
  if (!given && !start) {
    throw new ConfigError(
      "Cannot generate: neither decoder_start_token_id nor bos_token_id is set in the generation settings; " +
        "give decoderStartTokenId",
      "decoder_start_token_id",
    );
  }
  if (!given) return start!.map((id) => [id]);
  // As Hugging Face does: the start token is put before all rows, and only if no row begins with it.
  const lacks = subject.prependsStart && start && given.every((row, i) => row[0] !== start[i]);
  return lacks ? given.map((row, i) => [start[i], ...row]) : given;
}

function maxLengthOf(
  { maxNewTokens, maxLength }: GenerationSettings,
  options: GenerateOptions,
  { maxPositions = Infinity }: Subject,
  promptLength: number,
): number {
  const asked = maxNewTokens !== undefined ? promptLength + maxNewTokens : maxLength ?? promptLength + defaultNewTokens;
  if (asked <= promptLength) {
    throw new OptionError(
      `Cannot generate with maxLength = ${asked}: the prompt has ${promptLength} tokens already; raise maxLength or ` +
        "set maxNewTokens",
    );
  }
  const possible = maxPositions + 1;
  const own = (options.maxNewTokens ?? options.maxLength ?? null) !== null;
  if (asked > possible && (own || promptLength >= possible)) {
    throw new OptionError(
      `Cannot generate up to ${asked} tokens (maxNewTokens, maxLength): the decoder has ${maxPositions} positions, one ` +
        "for each but the last",
    );
  }
  return Math.min(asked, possible);
}

/** Ask for the memory of the rows, before any is taken. */
function checkSize(generation: Generation, options: GenerateOptions, subject: Subject): void {
  const { numBeams, numReturnSequences, maxLength, promptLength, outputScores } = generation;
  const { batch, vocabularySize, limits = defaultLimits, bytesOf = () => 0 } = subject;
  const rows = batch * Math.max(numBeams, numReturnSequences);
  const kept = outputScores ? 4 * rows * vocabularySize * (maxLength - promptLength) : 0;
  const bytes = bytesOf(rows, maxLength) + kept;
  const own = options.numBeams === undefined && numBeams > 1; // of the model's files
  const because =
    `${rows} rows (${
      own ? "the model's num_beams" : "numBeams"
    } ${numBeams}, numReturnSequences ${numReturnSequences}, ` +
    `pictures ${batch}) of up ` +
    `to ${maxLength} tokens (maxNewTokens, maxLength) would take ${bytes} bytes`;
  const task = "Cannot generate";
  demand(limits, "maxBeams", numBeams, { task, because, key: own ? "num_beams" : "numBeams" });
  demand(limits, "maxRows", rows, { task, because });
  demand(limits, "maxGenerationBytes", bytes, { task, because });
}

/** What fills rows after their end; Transformers takes the first end token where nothing is set. */
function paddingOf(
  { padTokenId, eosTokenIds, stoppingCriteria }: GenerationSettings,
  { vocabularySize }: Subject,
): number {
  const padding = padTokenId ?? eosTokenIds[0] ?? 0;
  if (padding < vocabularySize && padding >= 0) return padding;
  // Without a token that ends rows nothing is filled.
  const ends = stoppingCriteria.length > 0 || eosTokenIds.some((id) => id >= 0 && id < vocabularySize);
  if (!ends) return 0;
  throw new OptionError(
    `Cannot generate: rows are filled with the token ${padding} (pad_token_id), but there are ${vocabularySize}; set padTokenId`,
  );
}
