// The prompts that documents' models start from: tokens that name a task, and a question.
import { ConfigError, OptionError } from "../errors/mod.ts";
import type { GenerateOptions, GenerationConfig } from "../generation/mod.ts";
import type { Tokenizer } from "../tokenizer/mod.ts";

/** What a text may begin with, in words. */
export interface PromptOptions {
  /**
   * What the text begins with, such as `<s_docvqa><s_question>…</s_question><s_answer>`; it is not repeated in the text.
   * @default the model's start token
   */
  readonly prompt?: string;
}

/** What is asked of a document. */
export interface TaskOptions extends PromptOptions {
  /** The task, such as `cord-v2` or `rvlcdip`, for which the model has a token `<s_cord-v2>`. */
  readonly task?: string;
  /** A question about the document, of a model that answers questions. @default task is then "docvqa" */
  readonly question?: string;
}

/** The tokens that open a task: those of the form `<s_NAME>` that nothing closes. */
export function taskTokens(tokenizer: Tokenizer): string[] {
  const tokens = Array.from({ length: tokenizer.vocabularySize }, (_, id) => tokenizer.idToToken(id) ?? "");
  return tokens.filter((token) =>
    /^<s_[^<>]+>$/.test(token) && tokenizer.tokenToId(`</${token.slice(1)}`) === undefined
  );
}

/**
 * The prompt of a document.
 *
 * @returns The prompt, or undefined where nothing is asked and the model's start token is enough.
 * @throws {OptionError} If the model has no such task, or both a prompt and a task or question are given.
 */
export function promptOfTask(tokenizer: Tokenizer, { prompt, task, question }: TaskOptions): string | undefined {
  if (task === undefined && question === undefined) return prompt;
  if (prompt !== undefined) {
    throw new OptionError("Cannot read the document: give prompt, or task and question, and not both");
  }
  const token = `<s_${task ?? "docvqa"}>`;
  if (tokenizer.tokenToId(token) === undefined) {
    const known = taskTokens(tokenizer).map((token) => token.slice(3, -1));
    throw new OptionError(
      `Cannot read the document: the model has no task ${JSON.stringify(task ?? "docvqa")}; ${
        known.length ? `it has ${known.join(", ")}` : "its vocabulary has no token of a task"
      }`,
    );
  }
  return question === undefined ? token : `${token}<s_question>${question}</s_question><s_answer>`;
}

/** A prompt as tokens. @throws {OptionError} If it is no text, or has no token, or ids are given as well. */
export function encodePrompt(
  tokenizer: Tokenizer,
  prompt: string,
  { decoderInputIds }: GenerateOptions,
): readonly number[] {
  if (decoderInputIds !== undefined && decoderInputIds !== null) {
    throw new OptionError("Cannot caption: give prompt or decoderInputIds, and not both");
  }
  if (typeof prompt !== "string") {
    throw new OptionError(`Cannot caption: prompt is ${typeof prompt}, and a text was expected`);
  }
  const { inputIds } = tokenizer.encode(prompt, { addSpecialTokens: false });
  if (inputIds.length > 0) return inputIds;
  throw new OptionError(`Cannot caption: the prompt ${JSON.stringify(prompt)} has no token`);
}

/**
 * Check that a text can begin.
 *
 * @throws {ConfigError} If the model names no start token and no prompt is given.
 */
export function checkStart(
  { decoder_start_token_id, bos_token_id }: GenerationConfig,
  tokenizer: Tokenizer,
  { prompt, decoderInputIds, decoderStartTokenId }: GenerateOptions & PromptOptions,
): void {
  const starts = [prompt, decoderInputIds, decoderStartTokenId, decoder_start_token_id, bos_token_id];
  if (starts.some((start) => start !== undefined && start !== null)) return;
  const tasks = taskTokens(tokenizer);
  if (tasks.length === 0) return; // generate() says what is missing
  const such = tasks.slice(0, 3).map((token) => {
    return token === "<s_docvqa>" ? "<s_docvqa><s_question>…</s_question><s_answer>" : token;
  });
  throw new ConfigError(
    `Cannot caption: this model starts from a task prompt, such as ${such.join(" or ")}: give prompt`,
    "decoder_start_token_id",
  );
}
