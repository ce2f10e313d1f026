// What a request may ask of its text: fields by the names of `captions`' options, as JSON or as the texts of a query or form.
import type { CaptionOptions } from "../../captioner/caption_options.ts";
import { HttpError } from "../http_error.ts";

/** The options that requests may have, and the type of each. */
export const textOptions = {
  prompt: "string",
  page: "number",
  maxNewTokens: "number",
  maxLength: "number",
  minNewTokens: "number",
  minLength: "number",
  numBeams: "number",
  lengthPenalty: "number",
  doSample: "boolean",
  temperature: "number",
  topK: "number",
  topP: "number",
  minP: "number",
  typicalP: "number",
  seed: "number",
  repetitionPenalty: "number",
  noRepeatNgramSize: "number",
  skipSpecialTokens: "boolean",
} as const satisfies Partial<Record<keyof CaptionOptions, "string" | "number" | "boolean">>;

/** Options of a text that requests may have. */
export type TextOptions = Pick<CaptionOptions, keyof typeof textOptions>;

/**
 * Options by their names.
 *
 * @param fields What a request has besides its picture; where they are texts, numbers and booleans are read from them.
 * @throws {HttpError} 400 if there is no such option, or a value has another type.
 */
export function textOptionsOf(
  fields: Readonly<Record<string, unknown>>,
  { areTexts = false, maxBeams }: { readonly areTexts?: boolean; readonly maxBeams: number },
): TextOptions {
  const options: Record<string, unknown> = {};
  for (const [name, given] of Object.entries(fields)) {
    if (given === undefined || given === null) continue;
    if (!Object.hasOwn(textOptions, name)) {
      throw new HttpError(400, "unknown_option", `There is no option ${JSON.stringify(name.slice(0, 64))}`);
    }
    const type = textOptions[name as keyof typeof textOptions];
    const value = areTexts ? parsed(String(given), type) : given;
    if (typeof value !== type || (type === "number" && !Number.isFinite(value))) {
      throw new HttpError(400, "invalid_option", `The option ${name} is no ${type}`);
    }
    options[name] = value;
  }
  const { numBeams = 1 } = options as TextOptions;
  if (numBeams! > maxBeams) {
    throw new HttpError(
      400,
      "invalid_option",
      `The option numBeams is ${numBeams}, and at most ${maxBeams} are searched`,
    );
  }
  return options;
}

/** A text as a value of a type; undefined if it is none. */
function parsed(text: string, type: "string" | "number" | "boolean"): unknown {
  if (type === "string") return text;
  if (type === "number") return /^-?\d+(?:\.\d+)?(?:e-?\d+)?$/i.test(text) ? Number(text) : undefined;
  return text === "true" || text === "1" ? true : text === "false" || text === "0" ? false : undefined;
}
