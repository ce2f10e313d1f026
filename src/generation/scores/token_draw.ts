// Taking a token from a row of scores on the host, as the programs of selection_program.ts do it on the device.
import { OptionError } from "../../errors/mod.ts";
import { blocksOf } from "../programs/selection_program.ts";

/** The first of the largest scores. */
export function best(scores: Float32Array): number {
  let at = 0;
  for (let id = 1; id < scores.length; id++) if (scores[id] > scores[at]) at = id;
  return at;
}

/**
 * The share of a token in softmax(scores): how sure the model is of it. Where no token is allowed all have the same.
 *
 * @param scores A score for each token; −∞ for those that are not allowed.
 */
export function shareOf(scores: Float32Array, token: number): number {
  const own = scores[token];
  let sum = 0;
  for (let id = 0; id < scores.length; id++) sum += scores[id] === own ? 1 : Math.exp(scores[id] - own);
  return 1 / sum;
}

/**
 * A draw from softmax(scores): a block of tokens by the largest sum of its logarithm and noise, then a token of it.
 *
 * @param scores A score for each token; −∞ for those that may not be drawn.
 * @param noise Gumbel noise: of each block, and behind them of each place in a block.
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
  if (most === -Infinity) throw new OptionError("Cannot draw a token: the rules forbid every one");
  let [token, largest] = [chosen * width, -Infinity];
  for (let id = chosen * width; id < Math.min(scores.length, (chosen + 1) * width); id++) {
    const value = scores[id] + noise[blocks + id - chosen * width];
    if (value > largest) [token, largest] = [id, value];
  }
  return token;
}
