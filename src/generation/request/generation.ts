// A generation as it is known before it begins: the settings, and what follows from several of them.
import type { GenerationSettings } from "./settings.ts";

/** One generation, of which nothing is left to be found out. */
export interface Generation extends GenerationSettings {
  /** The prompt of each picture, the start token first; all of one length. */
  readonly prompts: readonly (readonly number[])[];
  /** Tokens of each prompt. */
  readonly promptLength: number;
  /** The most tokens of a row, the prompt included. */
  readonly maxLength: number;
  /** Fills rows after their end. */
  readonly padTokenId: number;
}
