// Scores made numbers again, and log-probabilities again. On the host only.

/** InfNanRemoveLogitsProcessor: what is no number becomes 0, what is infinite the largest number. */
export function removeInvalidValues(_: readonly number[], scores: Float32Array): void {
  const most = 2 ** 128 - 2 ** 104;
  for (let id = 0; id < scores.length; id++) {
    scores[id] = Number.isNaN(scores[id]) ? 0 : Math.min(Math.max(scores[id], -most), most);
  }
}

/** LogitNormalization: scores become log-probabilities. */
export function logSoftmax(scores: Float32Array): void {
  let highest = -Infinity;
  for (let id = 0; id < scores.length; id++) if (scores[id] > highest) highest = scores[id];
  let sum = 0;
  for (let id = 0; id < scores.length; id++) sum += Math.exp(scores[id] - highest);
  const total = highest + Math.log(sum);
  for (let id = 0; id < scores.length; id++) scores[id] -= total;
}
