// What a session with slots is asked for, and what it has not.
import { OptionError } from "../../errors/mod.ts";
import type { TextDecoder } from "../../models/mod.ts";
import type { Generation } from "../request/generation.ts";

/** What a session has room for. */
export interface SlotSessionOptions {
  /** Rows that may be under way at once. */
  readonly slots: number;
  /** The most tokens of a row, the prompt included. */
  readonly maxLength: number;
  /** The pictures' height and width, in pixels. @default what the encoder was made for */
  readonly size?: readonly [height: number, width: number];
  /** Whether positions are stretched to the pictures. @default false */
  readonly interpolate?: boolean;
  /** Parts that an encoding is cut into, so that steps fit between them. @default 1 */
  readonly encodeParts?: number;
  /**
   * Whether steps say how near another token was. A text in a slot is that alone but where two scores are within rounding:
   * kernels for one row and for several round differently. @default false
   */
  readonly margins?: boolean;
  /** Ends the session. */
  readonly signal?: AbortSignal;
}

/**
 * Check that a slot can hold a row of a generation.
 *
 * @throws {OptionError} If its settings ask for what a slot does not have.
 */
export function checkSettings(
  { numBeams, numReturnSequences, outputScores, outputAttentions, prompts, ...own }: Generation,
  { maxLength, interpolate = false }: SlotSessionOptions,
  { uncountedToken }: TextDecoder,
): void {
  const refuse = (what: string): never => {
    throw new OptionError(`Cannot admit a row to a slot: ${what}`);
  };
  if (numBeams > 1) refuse(`numBeams is ${numBeams}, but a slot holds one row`);
  if (numReturnSequences > 1) refuse(`numReturnSequences is ${numReturnSequences}, but a slot holds one row`);
  if (outputScores) refuse("outputScores is set, but rows of scores are not kept");
  if (outputAttentions) refuse("outputAttentions is set, but the encoder's states are not kept");
  if (own.streamer) refuse("streamer is set, but steps say what they decided");
  if (own.onTimings) refuse("onTimings is set, but steps are shared by all rows");
  if (own.interpolatePosEncoding !== interpolate) {
    refuse(`interpolatePosEncoding is ${own.interpolatePosEncoding}, unlike the session's`);
  }
  if (prompts.length !== 1) refuse(`there are ${prompts.length} prompts, expected one`);
  // The last token of a prompt is a step of its own, whose position counts all before it.
  if (uncountedToken !== undefined && prompts[0].slice(0, -1).includes(uncountedToken)) {
    refuse(`its prompt holds the token ${uncountedToken}, which the decoder's positions do not count`);
  }
  if (own.maxLength > maxLength) refuse(`it may have ${own.maxLength} tokens, but slots have room for ${maxLength}`);
}
