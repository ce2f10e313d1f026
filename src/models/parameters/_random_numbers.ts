// Random numbers for new parameters: a stream of words for each seed and name, and uniform and normal numbers made of them.

/** How many words are made at a time. */
const blockSize = 1024;

/** A stream of random words: sfc32 (Doty-Humphrey, PractRand), seeded by FNV-1a of a name. */
export class RandomWords {
  readonly #block = new Int32Array(blockSize);
  /** The words that are taken one by one, and how many of them are gone. */
  readonly #single = new Int32Array(blockSize);
  #gone = blockSize;
  readonly #state: Int32Array;

  /** @param seed A whole number from 0 to 2⁵³ − 1. */
  constructor(seed: number, name: string) {
    let hash = 0x811c9dc5 ^ seed;
    for (const byte of new TextEncoder().encode(name)) hash = Math.imul(hash ^ byte, 0x01000193);
    this.#state = Int32Array.of(hash, seed, Math.floor(seed / 2 ** 32), 1);
    this.#fill(this.#block.subarray(0, 16)); // until all words of the state are mixed
  }

  /** The next 1024 words, signed, of 32 bits; the array is used again. */
  nextBlock(): Int32Array {
    this.#fill(this.#block);
    return this.#block;
  }

  /** The next word. */
  next(): number {
    if (this.#gone === blockSize) {
      this.#fill(this.#single);
      this.#gone = 0;
    }
    return this.#single[this.#gone++];
  }

  /** A number in [0, 1). */
  uniform(): number {
    return (this.next() >>> 0) / 2 ** 32;
  }

  #fill(block: Int32Array): void {
    let [a, b, c, counter] = this.#state;
    for (let i = 0; i < block.length; i++) {
      const sum = (a + b + counter) | 0;
      counter = (counter + 1) | 0;
      a = b ^ (b >>> 9);
      b = (c + (c << 3)) | 0;
      c = (((c << 21) | (c >>> 11)) + sum) | 0;
      block[i] = sum;
    }
    this.#state.set([a, b, c, counter]);
  }
}

/** How many layers of equal area lie under the normal density; the lowest has the tail beyond `tailStart` too. */
const layerCount = 256;
const tailStart = 3.6541528853610088;
const layerArea = 0.00492867323399;

const density = (x: number): number => Math.exp(-x * x / 2);

/** The right edge of each layer, from the lowest up; that of the lowest is the width of a rectangle of its area. */
const edges = new Float64Array(layerCount + 1);
edges[0] = layerArea / density(tailStart);
edges[1] = tailStart;
for (let i = 2; i < layerCount; i++) {
  edges[i] = Math.sqrt(-2 * Math.log(layerArea / edges[i - 1] + density(edges[i - 1])));
}

const heights = edges.map(density);

/** A word gives a layer by its low 8 bits, and a place across the layer by the 24 others. */
const widths = Float64Array.from({ length: layerCount }, (_, i) => edges[i] / 2 ** 23);

/** The places of a layer that lie under the density, whatever the height. */
const inside = Int32Array.from({ length: layerCount }, (_, i) => Math.floor(edges[i + 1] / edges[i] * 2 ** 23));

/** A normal number where a word does not give one at once: near the edge of its layer, in the tail, or of further words. */
function rare(word: number, words: RandomWords): number {
  const layer = word & 255;
  if (layer === 0) return Math.sign(word) * beyondTail(words);
  const x = ((word >> 8) + 0.5) * widths[layer];
  const height = heights[layer] + words.uniform() * (heights[layer + 1] - heights[layer]);
  return height < density(x) ? x : normalOf(words.next(), words);
}

/** A number of the tail (Marsaglia 1964). */
function beyondTail(words: RandomWords): number {
  for (;;) {
    const beyond = -Math.log(1 - words.uniform()) / tailStart;
    if (-2 * Math.log(1 - words.uniform()) >= beyond * beyond) return tailStart + beyond;
  }
}

/** A normal number of a word, and of further ones where they are needed. */
function normalOf(word: number, words: RandomWords): number {
  const place = word >> 8;
  return (place ^ (place >> 31)) < inside[word & 255] ? (place + 0.5) * widths[word & 255] : rare(word, words);
}

/**
 * Fill an array with normal numbers of mean 0: the ziggurat method (Marsaglia and Tsang 2000), which is exact.
 *
 * @param deviation Their standard deviation.
 * @param most Numbers that are larger, or smaller than its negative, are drawn again.
 */
export function fillNormal(target: Float32Array, words: RandomWords, deviation: number, most = Infinity): void {
  for (let start = 0; start < target.length; start += blockSize) {
    const block = words.nextBlock();
    const count = Math.min(blockSize, target.length - start);
    for (let i = 0; i < count; i++) {
      let value = normalOf(block[i], words) * deviation;
      while (value > most || value < -most) value = normalOf(words.next(), words) * deviation;
      target[start + i] = value;
    }
  }
}

/** Fill an array with numbers that are uniform in [-bound, bound). */
export function fillUniform(target: Float32Array, words: RandomWords, bound: number): void {
  for (let start = 0; start < target.length; start += blockSize) {
    const block = words.nextBlock();
    const count = Math.min(blockSize, target.length - start);
    for (let i = 0; i < count; i++) target[start + i] = block[i] / 2 ** 31 * bound;
  }
}
