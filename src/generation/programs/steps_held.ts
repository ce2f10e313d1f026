// How far the device may go on before the host looks.

/** Steps whose results, or random numbers, the device holds at once. */
export const stepsHeld = 8;
