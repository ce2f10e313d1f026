// Whether a text runs on in circles, as those of small or empty pictures do.

/** So often the end of a text comes one after another, at least, */
const leastTimes = 4;
/** and has so many tokens. */
const leastTokens = 8;

/**
 * Whether tokens end in circles: the same few again and again, at least four times and over eight tokens or more.
 *
 * @param ids The new tokens, without the end token.
 */
export function isRepeating(ids: readonly number[]): boolean {
  const last = ids.length - 1;
  for (let period = 1; period * leastTimes <= ids.length; period++) {
    let length = period;
    while (length < ids.length && ids[last - length] === ids[last - length + period]) length++;
    if (length >= Math.max(leastTokens, leastTimes * period)) return true;
  }
  return false;
}
