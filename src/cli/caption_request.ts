// What the command asks of a captioner, and what of its answer is an object of JSON.
import type { Caption, CaptionOptions } from "../captioner/caption_options.ts";
import type { Captioner } from "../captioner/captioner.ts";
import { promptedOptions } from "../captioner/prompted_options.ts";
import { promptOfTask } from "../captioner/task_prompt.ts";
import { resolveGeneration } from "../generation/mod.ts";
import { subjectOf } from "../model/generation_subject.ts";
import { partsOf } from "../model/vision_encoder_decoder_model.ts";
import { unsureOf } from "./mark_unsure.ts";
import type { ReadingOptions } from "./options.ts";

/**
 * The options of one text. What is wrong with them is found here, since it is no picture's fault.
 *
 * @throws {LimnerError} If the model has no such task, needs a prompt and none is given, or cannot do what is asked.
 */
export function requestOf(captioner: Captioner, options: ReadingOptions): CaptionOptions {
  const { tokenizer, model } = captioner;
  const request = {
    maxNewTokens: options.maxNewTokens,
    numBeams: options.beams,
    numReturnSequences: 1,
    prompt: options.document ? promptOfTask(tokenizer, options) : options.prompt,
    ...(options.sample && { doSample: true, seed: options.seed }),
  };
  const { skipSpecialTokens: _, worded: __, ...generation } = promptedOptions(captioner, request);
  const { architecture } = partsOf(model);
  const subject = subjectOf(model.config, architecture, { batch: 1, size: architecture.encoder.imageSize });
  resolveGeneration(model.generationConfig, generation, subject);
  return request;
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
