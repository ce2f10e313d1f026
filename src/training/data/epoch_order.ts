// The order of an epoch, and random numbers of a place: both follow from a seed and numbers alone, so that a run that is
// taken up again anywhere goes on exactly.
import { philox } from "../../operators/mod.ts";

/** What random numbers are for: those of two purposes have nothing to do with one another. */
const purposes = { order: 1, augmentation: 2 } as const;

/**
 * Random numbers of a place, by Philox 4x32-10.
 *
 * @param seed A whole number from 0 to 2^53 − 1.
 * @param epoch Which epoch, from 0 on.
 * @param index Which example of the data set.
 * @returns A function that gives the next number, at least 0 and less than 1, 32 bits of it random.
 */
export function randomAt(
  purpose: keyof typeof purposes,
  seed: number,
  epoch: number,
  index: number = 0,
): () => number {
  const words = new Uint32Array(4);
  let drawn = 0;
  return () => {
    if (drawn % 4 === 0) {
      words.set([drawn / 4, index, epoch, purposes[purpose]]);
      philox(words, seed >>> 0, Math.floor(seed / 2 ** 32) >>> 0);
    }
    return words[drawn++ % 4] / 2 ** 32;
  };
}

/**
 * The places 0 to `count` − 1 in the order of an epoch, each once (Fisher–Yates).
 *
 * @param seed A whole number from 0 to 2^53 − 1.
 * @param epoch Which epoch, from 0 on.
 */
export function epochOrder(count: number, seed: number, epoch: number): Uint32Array {
  const order = Uint32Array.from({ length: count }, (_, i) => i);
  const random = randomAt("order", seed, epoch);
  for (let i = count - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    [order[i], order[j]] = [order[j], order[i]];
  }
  return order;
}
