// Options as a person gives them, with a prompt in words, made into those of a generation.
import { type GenerateOptions, resolvePrompts } from "../generation/mod.ts";
import { subjectOf } from "../model/generation_subject.ts";
import { architectureOf } from "../models/mod.ts";
import type { CaptionerParts, CaptionOptions, PromptedOptions } from "./caption_options.ts";
import { checkStart, encodePrompt } from "./task_prompt.ts";

/** What the options of a text depend on. */
interface Parts extends Pick<CaptionerParts, "tokenizer"> {
  readonly model: Pick<CaptionerParts["model"], "generationConfig">;
}

/**
 * Options whose prompt, if it is a text, is made tokens.
 *
 * @throws {LimnerError} If the model needs a prompt and has none, or it is no text.
 */
export function promptedOptions(
  { model, tokenizer }: Parts,
  options: CaptionOptions,
): GenerateOptions & Pick<PromptedOptions, "skipSpecialTokens" | "worded"> {
  checkStart(model.generationConfig, tokenizer, options);
  const { prompt, skipSpecialTokens = true, page: _, ...rest } = options;
  if (prompt === undefined || prompt === null) return { ...rest, skipSpecialTokens, worded: false };
  const decoderInputIds = [encodePrompt(tokenizer, prompt, options)];
  return { ...rest, decoderInputIds, skipSpecialTokens, worded: true };
}

/** The tokens that a text begins with: its prompt, and the start token where it comes first. */
export function beginningOf(
  { config, generationConfig, limits }: CaptionerParts["model"],
  { decoderInputIds, decoderStartTokenId, bosTokenId }: GenerateOptions,
): readonly number[] {
  const architecture = architectureOf(config, limits);
  const subject = subjectOf(config, architecture, { batch: 1, size: architecture.encoder.imageSize });
  return resolvePrompts(generationConfig, { decoderInputIds, decoderStartTokenId, bosTokenId }, subject)[0];
}

/** The token that a text begins with which has no prompt, as a list; none where nothing names one. */
export function startOf({ model }: Pick<Parts, "model">): number[] {
  const { decoder_start_token_id: start, bos_token_id: begin } = model.generationConfig;
  return [start ?? begin ?? []].flat();
}

/** The tokens that end a text. */
export function endsOf({ model }: Pick<Parts, "model">, { eosTokenId }: Pick<GenerateOptions, "eosTokenId">): number[] {
  return [(eosTokenId === undefined ? model.generationConfig.eos_token_id : eosTokenId) ?? []].flat();
}
