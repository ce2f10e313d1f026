// The finite number that is used in place of −∞ on devices.

/**
 * The score of what is masked: a key that a query may not attend to, a token that may not be chosen.
 *
 * It is finite, so that the softmax of a row that is masked everywhere is uniform and not NaN, and so that no device has to
 * compute with infinity.
 */
export const lowestScore = -1e30;
