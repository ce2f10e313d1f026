// What an answer to a picture is as an object of JSON: its text, or why there is none.
import type { Captioner } from "../../captioner/captioner.ts";
import { FormatError, HubError, LimitError, LimnerError } from "../../errors/mod.ts";
import { captionFields } from "../caption_request.ts";
import { describe } from "../exit_code.ts";
import type { ReadingOptions } from "../options.ts";
import type { CaptionAnswer } from "./caption_jobs.ts";

/** Why a picture has no text: a message for people, and a word for programs. */
export interface AnswerError {
  readonly message: string;
  readonly code: string;
}

/** The fields of an answer. */
export async function answerFields(
  answer: CaptionAnswer<unknown>,
  options: ReadingOptions,
  captioner: Captioner,
): Promise<Record<string, unknown>> {
  if ("error" in answer) return { error: errorFields(answer.error) };
  try {
    return await captionFields(answer.caption, options, captioner);
  } catch (error) {
    if (error instanceof LimnerError) return { error: errorFields(error) };
    throw error;
  }
}

/** An error as an answer has it. */
export function errorFields(error: unknown): AnswerError {
  const { code } = error as { code?: unknown };
  const known = error instanceof LimnerError && typeof code === "string" ? code : undefined;
  const kind = error instanceof FormatError
    ? "picture"
    : error instanceof HubError
    ? "not-found"
    : error instanceof LimitError
    ? "too-large"
    : "failed";
  return { message: describe(error), code: known ?? kind };
}
