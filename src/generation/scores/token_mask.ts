// The processors that depend on nothing but how long a row is: forbidden and forced tokens. In programs they are one row
// of scores, the mask, which says for each token either that its score is its own or what stands for it; it is written
// again only at the few lengths where others of them hold.
import type { Dimension, Value } from "../../graph/mod.ts";
import { equal, where } from "../../operators/mod.ts";
import type { GenerationSettings } from "../request/settings.ts";
import { forbidden } from "./forbidden.ts";
import type { LogitsProcessor } from "./logits_processor.ts";
import { badWordsOf } from "./sequence_bias.ts";

/** A processor that forbids tokens, or forces some, at certain lengths. */
export interface LengthProcessor {
  /** Whether it holds for the next token of a row of so many. */
  readonly holds: (length: number) => boolean;
  /** Change a row of scores in place. */
  readonly apply: (scores: Float32Array) => void;
}

/** The lengths of rows that processors depend on. */
export interface RowLengths {
  /** Tokens of the prompt, the start token included. */
  readonly promptLength: number;
  /** The most tokens of a row, the prompt included. */
  readonly maxLength: number;
}

/** Forbid tokens. */
const forbid = (ids: readonly number[], holds: LengthProcessor["holds"] = () => true): LengthProcessor => ({
  holds,
  apply: (scores) => {
    for (const id of ids) scores[id] = -Infinity;
  },
});

/** Forbid all other tokens. */
const force = (ids: readonly number[], holds: LengthProcessor["holds"]): LengthProcessor => ({
  holds,
  apply: (scores) => {
    scores.fill(-Infinity);
    for (const id of ids) scores[id] = 0;
  },
});

/** Those that come before exponential decay: bad words of one token, the least length, forced tokens. */
export function wordAndLengthProcessors(settings: GenerationSettings, lengths: RowLengths): LengthProcessor[] {
  const { eosTokenIds, forcedBosTokenIds, forcedEosTokenIds, minLength, minNewTokens } = settings;
  const { promptLength, maxLength } = lengths;
  const words = badWordsOf(settings).filter(({ length }) => length === 1).flat();
  const least = minNewTokens === undefined ? minLength : promptLength + minNewTokens;
  return [
    ...(words.length > 0 ? [forbid(words)] : []),
    ...(least > 0 && eosTokenIds.length > 0 ? [forbid(eosTokenIds, (length) => length < least)] : []),
    ...(forcedBosTokenIds.length > 0 ? [force(forcedBosTokenIds, (length) => length === 1)] : []),
    ...(forcedEosTokenIds.length > 0 ? [force(forcedEosTokenIds, (length) => length === maxLength - 1)] : []),
  ];
}

/** Those that come after it: suppressed tokens. */
export function suppressionProcessors(
  { suppressTokens, beginSuppressTokens, forcedBosTokenIds }: GenerationSettings,
  { promptLength }: RowLengths,
): LengthProcessor[] {
  const begin = promptLength > 1 || forcedBosTokenIds.length === 0 ? promptLength : promptLength + 1;
  return [
    ...(suppressTokens.length > 0 ? [forbid(suppressTokens)] : []),
    ...(beginSuppressTokens.length > 0 ? [forbid(beginSuppressTokens, (length) => length === begin)] : []),
  ];
}

/** All of them. Nothing that a program applies comes between, so that one mask serves. */
export function lengthProcessors(settings: GenerationSettings, lengths: RowLengths): LengthProcessor[] {
  return [...wordAndLengthProcessors(settings, lengths), ...suppressionProcessors(settings, lengths)];
}

/** On the host. */
export function onRows({ holds, apply }: LengthProcessor): LogitsProcessor {
  return (tokens, scores) => {
    if (holds(tokens.length)) apply(scores);
  };
}

/** In the mask, a token whose score stays its own. */
export const own = 1;

/** In a program, on scores [rows, V]: input `mask`, [1, V] or each row's own [rows, V], float32. */
export function underMask(scores: Value, of: Dimension = 1): Value {
  const mask = scores.builder.input("mask", "float32", [of, scores.shape[1]]);
  return where(equal(mask, scores.builder.scalar(own)), scores, mask);
}

/** Keeps a mask as the length of rows wants it. */
export class TokenMask {
  readonly #row: Float32Array;
  /** Which processors the row holds. */
  #held = "";

  /** @param vocabulary The number V of tokens. */
  constructor(readonly processors: readonly LengthProcessor[], vocabulary: number) {
    this.#row = new Float32Array(vocabulary);
  }

  /** The mask [V] for the next token of rows of `length`, if it is another than the last one. */
  next(length: number): Float32Array | undefined {
    const holding = this.processors.map(({ holds }) => holds(length));
    if (holding.join() === this.#held) return undefined;
    this.#held = holding.join();
    this.#row.fill(own);
    this.processors.forEach(({ apply }, i) => holding[i] && apply(this.#row));
    for (let id = 0; id < this.#row.length; id++) if (this.#row[id] === -Infinity) this.#row[id] = forbidden;
    return this.#row;
  }
}
