// What stands for −∞ on a device.

/**
 * The score of what may not be: a key that a query may not see, a token that may not follow.
 *
 * It is finite, so that a row of nothing else is uniform and not NaN, and so that no device has to compute with infinity.
 */
export const lowestScore = -1e30;
