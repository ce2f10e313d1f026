// What a session with slots is asked for, and what it has not.
import { OptionError } from "../../errors/mod.ts";
import { demand } from "../../limits/mod.ts";
import type { Architecture, TextDecoder } from "../../models/mod.ts";
import { generationBytes } from "../programs/generation_bytes.ts";
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
 * Check what a session is asked for, before any memory is taken.
 *
 * @throws {OptionError} If a number is none that a session can have.
 * @throws {LimitError} If it takes more rows or bytes than are allowed.
 */
export function checkRoom(options: SlotSessionOptions, architecture: Architecture): void {
  const { slots, maxLength, encodeParts = 1, size = architecture.encoder.imageSize } = options;
  for (const [name, value] of Object.entries({ slots, maxLength, encodeParts })) {
    if (Number.isSafeInteger(value) && value >= 1) continue;
    throw new OptionError(`Cannot open slots with ${name} = ${value}: expected a whole number from 1 on`);
  }
  const { decoder, limits } = architecture;
  const most = (decoder.maxPositions ?? Infinity) + 1;
  if (maxLength > most) {
    throw new OptionError(`Cannot open slots of ${maxLength} tokens (maxLength): the decoder has room for ${most}`);
  }
  const bytes = generationBytes(architecture, { batch: slots, size, rows: slots, positions: maxLength });
  const because = `${slots} slots (slots) of up to ${maxLength} tokens (maxLength) would take ${bytes} bytes`;
  const task = "Cannot open slots";
  demand(limits, "maxRows", slots, { task, because, key: "slots" });
  demand(limits, "maxGenerationBytes", bytes, { task, because });
}

/**
 * Check that slots can hold a text of a generation.
 *
 * @param slots How many it has.
 * @throws {OptionError} If its settings ask for what a slot does not have.
 */
export function checkSettings(
  { numBeams, numReturnSequences, outputScores, outputAttentions, prompts, ...own }: Generation,
  { maxLength, interpolate = false }: SlotSessionOptions,
  { uncountedToken }: TextDecoder,
  slots: number,
): void {
  const refuse = (what: string): never => {
    throw new OptionError(`Cannot admit a row to a slot: ${what}`);
  };
  if (numBeams !== slots) refuse(`numBeams is ${numBeams}, but its picture has ${slots}, and each holds one row`);
  if (numBeams === 1 && numReturnSequences > 1) {
    refuse(`numReturnSequences is ${numReturnSequences}, but a slot holds one row`);
  }
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
