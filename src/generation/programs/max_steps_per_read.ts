// How far the device may go on before the host reads what it has decided.

/** Steps whose results, or random numbers, the device holds at once. */
export const maxStepsPerRead = 8;
