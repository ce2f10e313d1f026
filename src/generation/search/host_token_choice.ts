// Taking a token on the host, from a whole row of scores.
import type { Generation } from "../request/generation.ts";
import { Noise } from "../scores/gumbel_noise.ts";
import { processorsOf } from "../scores/host_processors.ts";
import { confidenceOf } from "../scores/token_confidence.ts";
import { best, draw, numbersOf } from "../scores/token_draw.ts";
import type { Choice } from "./text_state.ts";

/** Takes tokens as a generation's settings say. */
export class HostTokenChoice {
  readonly #processors;
  readonly #noise: Noise | undefined;
  readonly #numbers: Float32Array<ArrayBuffer>;

  /** @param vocabulary The number V of tokens. */
  constructor(readonly generation: Generation, vocabulary: number) {
    this.#processors = processorsOf(generation, generation);
    this.#noise = generation.doSample ? Noise.of(generation) : undefined;
    this.#numbers = new Float32Array(numbersOf(vocabulary));
  }

  /** Process the scores [V] of the token after those of a row, in place. */
  process(tokens: readonly number[], scores: Float32Array): void {
    for (const process of this.#processors) process(tokens, scores);
  }

  /**
   * Take a token.
   *
   * @param scores Processed, [V].
   * @param place The row's place and its length, which are those of its noise.
   */
  take(scores: Float32Array, { row, length }: { readonly row: number; readonly length: number }): Choice {
    const taken = this.#noise ? draw(scores, this.#noise.fill(this.#numbers, row, length)) : best(scores);
    const { token } = taken;
    return { ...taken, ...(this.generation.outputConfidences && { confidence: confidenceOf(scores, token) }) };
  }
}
