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
  log,
  mul,
  pad,
  range,
  reduceMax,
  reduceSum,
  reshape,
  slice,
  sub,
  where,
} from "../../operators/mod.ts";
import { stepsHeld } from "../programs/steps_held.ts";
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

/** The first of the largest scores. */
export function best(scores: Float32Array): number {
  let at = 0;
  for (let id = 1; id < scores.length; id++) if (scores[id] > scores[at]) at = id;
  return at;
}

/**
 * Draw from softmax(scores) on the host: a block of tokens by the largest sum of its logarithm and noise, then a token of it.
 *
 * @param scores A score for each token; −∞ for those that may not be drawn.
 * @param noise Gumbel noise: of each block, and after these of each place in a block.
 * @throws {OptionError} If none may be drawn.
 */
export function draw(scores: Float32Array, noise: Float32Array): number {
  const { blocks, width } = blocksOf(scores.length);
  let [chosen, most] = [0, -Infinity];
  for (let block = 0; block < blocks; block++) {
    const end = Math.min(scores.length, (block + 1) * width);
    let highest = -Infinity;
    for (let id = block * width; id < end; id++) if (scores[id] > highest) highest = scores[id];
    if (highest === -Infinity) continue;
    let sum = 0;
    for (let id = block * width; id < end; id++) sum += Math.exp(scores[id] - highest);
    const value = highest + Math.log(sum) + noise[block];
    if (value > most) [chosen, most] = [block, value];
  }
  if (most === -Infinity) throw new OptionError("Cannot draw a token: every one is forbidden");
  let [token, largest] = [chosen * width, -Infinity];
  for (let id = chosen * width; id < Math.min(scores.length, (chosen + 1) * width); id++) {
    const value = scores[id] + noise[blocks + id - chosen * width];
    if (value > largest) [token, largest] = [id, value];
  }
  return token;
}

/**
 * Draw a token of each row from softmax(scores) in a program.
 *
 * Input `noise` [stepsHeld, rows, blocks + width], float32; a run reads that of step `at`.
 *
 * @param scores Shape [rows, V].
 * @returns The tokens, [rows, 1], int64.
 */
export function drawTokens(scores: Value): Value {
  const { builder, shape: [rows] } = scores;
  const vocabulary = scores.shape[1] as number;
  const { blocks, width } = blocksOf(vocabulary);
  const noise = builder.input("noise", "float32", [stepsHeld, rows, blocks + width]);
  const noiseOf = (from: number, size: number) =>
    reshape(slice(noise, { starts: ["at", 0, from], sizes: [1, rows, size] }), { shape: [rows, size] });
  const missing = blocks * width - vocabulary;
  const whole = pad(scores, { beginning: [0, 0], ending: [0, missing], value: forbidden });
  const cut = reshape(whole, { shape: [rows, blocks, width] });
  const highest = reduceMax(cut, { axes: [2], keepDimensions: true });
  const total = add(log(reduceSum(exp(sub(cut, highest)), { axes: [2] })), reshape(highest, { shape: [rows, blocks] }));
  const block = argMax(add(total, noiseOf(0, blocks)), { axis: 1, keepDimensions: true });
  const isChosen = equal(
    reshape(block, { shape: [rows, 1, 1] }),
    reshape(range(builder, { size: blocks }), { shape: [blocks, 1] }),
  );
  const chosen = reduceMax(where(isChosen, cut, builder.scalar(forbidden)), { axes: [1] });
  const place = argMax(add(chosen, noiseOf(blocks, width)), { axis: 1, keepDimensions: true });
  return add(mul(block, builder.scalar(width, "int64")), place);
}
