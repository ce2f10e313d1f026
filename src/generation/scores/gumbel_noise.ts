// Gumbel noise that depends on nothing but a seed and a place: row, step and token. So it is the same on every backend, in
// any order and in batches of any size.
import { philox } from "../../operators/mod.ts";

/** A word as Gumbel noise: the index of the largest of logits plus noise is a draw from their softmax. */
const gumbel = (word: number): number => -Math.log(-Math.log((word + 0.5) / 2 ** 32));

/** What a generation's noise depends on. */
interface Drawing {
  readonly seed: number | undefined;
  readonly firstPicture: number;
  readonly numBeams: number;
  readonly numReturnSequences: number;
}

/** Gumbel noise by place. The k largest of logits plus noise are k draws without replacement. */
export class Noise {
  readonly #words = new Uint32Array(4);
  readonly #key: readonly [number, number];
  readonly #firstRow: number;
  readonly #block = { row: -1, step: -1, block: -1 };

  /**
   * @param seed A whole number from 0 to 2^53 − 1. @default one that differs from call to call
   * @param firstRow The place of row 0 among all rows that share the seed.
   */
  constructor(seed: number = Math.floor(Math.random() * 2 ** 53), firstRow = 0) {
    this.#key = [seed >>> 0, Math.floor(seed / 2 ** 32) >>> 0];
    this.#firstRow = firstRow;
  }

  /** That of a generation's rows, of which each picture has one for each of its beams or texts. */
  static of({ seed, firstPicture, numBeams, numReturnSequences }: Drawing): Noise {
    return new Noise(seed, firstPicture * Math.max(numBeams, numReturnSequences));
  }

  /** The noise of a place: the same for the same seed. */
  at(row: number, step: number, index: number): number {
    const held = this.#block;
    const block = index >>> 2;
    if (held.block !== block || held.step !== step || held.row !== row) {
      Object.assign(held, { row, step, block });
      this.#words[0] = block;
      this.#words[1] = step;
      this.#words[2] = this.#firstRow + row;
      this.#words[3] = 0;
      philox(this.#words, ...this.#key);
    }
    return gumbel(this.#words[index & 3]);
  }

  /** Fill `target` with the noise of the first places of a row's step. */
  fill(target: Float32Array, row: number, step: number): Float32Array {
    for (let index = 0; index < target.length; index++) target[index] = this.at(row, step, index);
    return target;
  }
}
