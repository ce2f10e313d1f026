// Taking a token from a row of scores: the best one, or a draw by the largest sum of a score and Gumbel noise. Near ties
// aside, rounding does not change which token is drawn, as it would if a sum of probabilities were compared, so that host
// and device draw the same.
import { OptionError } from "../../errors/mod.ts";
import type { Value } from "../../graph/mod.ts";
import {
  add,
  argMax,
  equal,
  exp,
  greaterOrEqual,
  log,
  mul,
  pad,
  range,
  reduceMax,
  reduceSum,
  reshape,
  slice,
  sub,
  topK,
  where,
} from "../../operators/mod.ts";
import { maxStepsPerRead } from "../programs/max_steps_per_read.ts";
import { forbidden } from "./forbidden.ts";

/**
 * How a vocabulary is cut to draw from it: `blocks` of `width` tokens, the last one with fewer. A block is drawn and
 * then a token of it, which takes blocks + width random numbers instead of V.
 */
export function blocksOf(vocabulary: number): { blocks: number; width: number } {
  const width = Math.ceil(Math.sqrt(vocabulary));
  return { blocks: Math.ceil(vocabulary / width), width };
}

/** Random numbers that a draw takes. */
export function numbersOf(vocabulary: number): number {
  const { blocks, width } = blocksOf(vocabulary);
  return blocks + width;
}

/** A token, and how far what it was taken by is from what another would have been. */
export interface Taken {
  readonly token: number;
  readonly margin: number;
}

/** The first of the largest scores. */
export function best(scores: Float32Array): Taken {
  let [token, second] = [0, -Infinity];
  for (let id = 1; id < scores.length; id++) {
    if (scores[id] > scores[token]) [token, second] = [id, scores[token]];
    else if (scores[id] > second) second = scores[id];
  }
  return { token, margin: scores[token] - second };
}

/**
 * Draw from softmax(scores) on the host: a block of tokens by the largest sum of its logarithm and noise, then a token of it.
 *
 * @param scores A score for each token; −∞ for those that may not be drawn.
 * @param noise Gumbel noise: of each block, and after these of each place in a block.
 * @throws {OptionError} If none may be drawn.
 */
export function draw(scores: Float32Array, noise: Float32Array): Taken {
  const { blocks, width } = blocksOf(scores.length);
  let [chosen, most, next] = [0, -Infinity, -Infinity];
  for (let block = 0; block < blocks; block++) {
    const end = Math.min(scores.length, (block + 1) * width);
    let highest = -Infinity;
    for (let id = block * width; id < end; id++) if (scores[id] > highest) highest = scores[id];
    if (highest === -Infinity) continue;
    let sum = 0;
    for (let id = block * width; id < end; id++) sum += Math.exp(scores[id] - highest);
    const value = highest + Math.log(sum) + noise[block];
    if (value > most) [chosen, most, next] = [block, value, most];
    else if (value > next) next = value;
  }
  if (most === -Infinity) throw new OptionError("Cannot draw a token: every one is forbidden");
  let [token, largest, second] = [chosen * width, -Infinity, -Infinity];
  for (let id = chosen * width; id < Math.min(scores.length, (chosen + 1) * width); id++) {
    const value = scores[id] + noise[blocks + id - chosen * width];
    if (value > largest) [token, largest, second] = [id, value, largest];
    else if (value > second) second = value;
  }
  return { token, margin: Math.min(most - next, largest - second) };
}

/**
 * Draw a token of each row from softmax(scores) in a program.
 *
 * Input `noise` [maxStepsPerRead, rows, blocks + width], float32; a run reads that of step `at`.
 *
 * @param scores Shape [rows, V].
 * @param margins Whether it is wanted how near another token was.
 * @returns The tokens, [rows, 1], int64; and how far what each was drawn by is from what another would have been, [rows, 1].
 */
export function drawTokens(scores: Value, margins = false): { readonly ids: Value; readonly margin?: Value } {
  const { builder, shape: [rows] } = scores;
  const vocabulary = scores.shape[1] as number;
  const { blocks, width } = blocksOf(vocabulary);
  const noise = builder.input("noise", "float32", [maxStepsPerRead, rows, blocks + width]);
  const noiseOf = (from: number, size: number) =>
    reshape(slice(noise, { starts: ["at", 0, from], sizes: [1, rows, size] }), { shape: [rows, size] });
  const missing = blocks * width - vocabulary;
  const whole = pad(scores, { beginning: [0, 0], ending: [0, missing], value: forbidden });
  const cut = reshape(whole, { shape: [rows, blocks, width] });
  const highest = reduceMax(cut, { axes: [2], keepDimensions: true });
  const total = add(log(reduceSum(exp(sub(cut, highest)), { axes: [2] })), reshape(highest, { shape: [rows, blocks] }));
  const ofBlocks = add(total, noiseOf(0, blocks));
  const block = argMax(ofBlocks, { axis: 1, keepDimensions: true });
  const isChosen = equal(
    reshape(block, { shape: [rows, 1, 1] }),
    reshape(range(builder, { size: blocks }), { shape: [blocks, 1] }),
  );
  const chosen = reduceMax(where(isChosen, cut, builder.scalar(forbidden)), { axes: [1] });
  const ofPlaces = add(chosen, noiseOf(blocks, width));
  const place = argMax(ofPlaces, { axis: 1, keepDimensions: true });
  const ids = add(mul(block, builder.scalar(width, "int64")), place);
  if (!margins) return { ids };
  const [a, b] = [marginOf(ofPlaces), blocks > 1 ? marginOf(ofBlocks) : undefined];
  return { ids, margin: b ? where(greaterOrEqual(a, b), b, a) : a };
}

/** How far the largest score of each row, [rows, n], is from the second, [rows, 1]. */
export function marginOf(scores: Value): Value {
  const [values] = topK(scores, { k: 2, axis: -1 });
  const at = (place: number) => slice(values, { starts: [0, place], sizes: [scores.shape[0], 1] });
  return sub(at(0), at(1));
}
