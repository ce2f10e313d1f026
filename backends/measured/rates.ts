// How fast a device is, in numbers that are measured once, and how long a model takes there by them. An estimate is for a
// choice between devices: it leaves out what is alike on both, and may be off by a third.
import type { ModelWork } from "../../src/graph/mod.ts";

/** What was measured of a device. */
export interface Rates {
  /** Bytes of weights that products of one row read in a second. */
  readonly bytesPerSecond: number;
  /** Multiplications and additions of a picture's products in a second. */
  readonly operationsPerSecond: number;
  /** What a small product takes, in seconds: that of beginning it. */
  readonly secondsPerProduct: number;
  /** What waiting for a result takes beside the work itself, in seconds. */
  readonly secondsPerRead: number;
  /** The steps that are taken between two reads. */
  readonly stepsPerRead: number;
}

/** The tokens of the text that estimates are for. */
export const tokensEstimated = 16;

/** Whether a value is what a device's speed is kept as. */
export function isRates(value: unknown): value is Rates {
  const { bytesPerSecond, operationsPerSecond, stepsPerRead, secondsPerProduct, secondsPerRead } =
    (value ?? {}) as Partial<Rates>;
  return [bytesPerSecond, operationsPerSecond, stepsPerRead].every((rate) => Number.isFinite(rate) && rate! > 0) &&
    [secondsPerProduct, secondsPerRead].every((time) => Number.isFinite(time) && time! >= 0);
}

/** The milliseconds that a picture and its text take on a device. */
export function estimate(work: ModelWork, rates: Rates): number {
  const { bytesPerSecond, operationsPerSecond, secondsPerProduct, secondsPerRead, stepsPerRead } = rates;
  const picture = work.pictureOperations / operationsPerSecond + work.pictureProducts * secondsPerProduct;
  const token = work.tokenBytes / bytesPerSecond + work.tokenProducts * secondsPerProduct;
  const reads = Math.ceil(tokensEstimated / stepsPerRead);
  return 1000 * (picture + tokensEstimated * token + reads * secondsPerRead);
}
