// What the command asks of a captioner, and what of its answer is an object of JSON.
import type { Caption, CaptionOptions } from "../captioner/caption_options.ts";
import type { Captioner } from "../captioner/captioner.ts";
import { checkStart, promptOfTask } from "../captioner/task_prompt.ts";
import { unsureOf } from "./mark_unsure.ts";
import type { ReadingOptions } from "./options.ts";

/**
 * The options of one text.
 *
 * @throws {LimnerError} If the model has no such task, or needs a prompt and none is given.
 */
export function requestOf({ tokenizer, model }: Captioner, options: ReadingOptions): CaptionOptions {
  const prompt = options.document ? promptOfTask(tokenizer, options) : options.prompt;
  checkStart(model.generationConfig, tokenizer, { prompt });
  return {
    maxNewTokens: options.maxNewTokens,
    numBeams: options.beams,
    numReturnSequences: 1,
    prompt,
    ...(options.sample && { doSample: true, seed: options.seed }),
  };
}

/** A caption as an object: `text`, or `document`, `confidence`, and what is remarkable about it. */
export async function captionFields(
  { text, ids, truncated, repetition, confidence, words }: Caption,
  { document, minConfidence }: Pick<ReadingOptions, "document" | "minConfidence">,
  { tokenizer, processor }: Captioner,
): Promise<Record<string, unknown>> {
  const documents = document ? await import("../captioner/document.ts") : undefined;
  return {
    ...(documents ? { document: documents.documentOf(ids, tokenizer, processor.settings.type) } : { text }),
    confidence: Math.round(confidence * 1e6) / 1e6,
    ...(minConfidence !== undefined && { unsure: unsureOf(words, minConfidence) }),
    ...(truncated && { truncated }),
    ...(repetition && { repetition }),
  };
}
