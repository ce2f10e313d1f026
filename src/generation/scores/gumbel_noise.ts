// Random numbers that depend on nothing but a seed and a place: row, step and token. So they are the same on every
// backend and in any order. Philox 4x32-10 (Salmon et al. 2011, "Parallel Random Numbers: As Easy as 1, 2, 3").

/** The high 32 bits of the product of two unsigned 32-bit numbers. */
function multiplyHigh(a: number, b: number): number {
  const aLow = a & 0xffff, aHigh = a >>> 16, bLow = b & 0xffff, bHigh = b >>> 16;
  const middle = aHigh * bLow + ((aLow * bLow) >>> 16);
  const other = aLow * bHigh + (middle & 0xffff);
  return (aHigh * bHigh + Math.floor(middle / 65536) + Math.floor(other / 65536)) >>> 0;
}

/**
 * Four random words for a counter of four words and a key of two, all unsigned 32-bit.
 *
 * @param words Holds the counter, and then the result.
 */
export function philox(words: Uint32Array, key0: number, key1: number): void {
  let [a, b, c, d] = words;
  for (let round = 0; round < 10; round++) {
    const highA = multiplyHigh(0xd2511f53, a), lowA = Math.imul(0xd2511f53, a);
    const highC = multiplyHigh(0xcd9e8d57, c), lowC = Math.imul(0xcd9e8d57, c);
    a = (highC ^ b ^ key0) >>> 0;
    b = lowC >>> 0;
    c = (highA ^ d ^ key1) >>> 0;
    d = lowA >>> 0;
    key0 = (key0 + 0x9e3779b9) >>> 0;
    key1 = (key1 + 0xbb67ae85) >>> 0;
  }
  words[0] = a;
  words[1] = b;
  words[2] = c;
  words[3] = d;
}

/** A word as Gumbel noise: the index of the largest of logits plus noise is a draw from their softmax. */
const gumbel = (word: number): number => -Math.log(-Math.log((word + 0.5) / 2 ** 32));

/** Gumbel noise by place. The k largest of logits plus noise are k draws without replacement. */
export class Noise {
  readonly #words = new Uint32Array(4);
  readonly #key: readonly [number, number];
  readonly #block = { row: -1, step: -1, block: -1 };

  /** @param seed A whole number from 0 to 2^53 − 1. @default one that differs from call to call */
  constructor(seed: number = Math.floor(Math.random() * 2 ** 53)) {
    this.#key = [seed >>> 0, Math.floor(seed / 2 ** 32) >>> 0];
  }

  /** The noise of a place: the same for the same seed. */
  at(row: number, step: number, index: number): number {
    const held = this.#block;
    const block = index >>> 2;
    if (held.block !== block || held.step !== step || held.row !== row) {
      Object.assign(held, { row, step, block });
      this.#words[0] = block;
      this.#words[1] = step;
      this.#words[2] = row;
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
