// Scales of a plot: from values to places, with round numbers to write beside them.

/** A scale. */
export interface Axis {
  /** The place of a value, in pixels. */
  readonly place: (value: number) => number;
  /** The values that are written beside it. */
  readonly ticks: readonly number[];
}

/** Where an axis begins and ends, in pixels. */
export type Stretch = readonly [from: number, to: number];

/** About how many values are written beside an axis. */
const wanted = 6;

/** A scale on which equal differences are equally long, and both ends are round numbers. */
export function linearAxis(values: readonly number[], [from, to]: Stretch, whole = false): Axis {
  const [least, most] = extent(values);
  const step = Math.max(roundStep((most - least) / wanted), whole ? 1 : 0);
  const [first, last] = [Math.floor(least / step), Math.max(Math.ceil(most / step), Math.floor(least / step) + 1)];
  const ticks = Array.from({ length: last - first + 1 }, (_, i) => Number(((first + i) * step).toPrecision(12)));
  const [low, high] = [ticks[0], ticks.at(-1)!];
  return { place: (value) => from + (value - low) / (high - low) * (to - from), ticks };
}

/** A scale on which equal ratios are equally long; all values are above 0. */
export function logarithmicAxis(values: readonly number[], [from, to]: Stretch): Axis {
  const [least, most] = extent(values);
  const ratios = most / least > 1e4 ? [1] : most / least > 200 ? [1, 3] : [1, 2, 5];
  const exponents = [Math.floor(Math.log10(least)), Math.ceil(Math.log10(most))];
  const all: number[] = [];
  for (let exponent = exponents[0]; exponent <= exponents[1]; exponent++) {
    for (const ratio of ratios) all.push(Number(`${ratio}e${exponent}`));
  }
  const first = all.findLastIndex((tick) => tick <= least), last = all.findIndex((tick) => tick >= most);
  const ticks = all.slice(Math.max(0, first), last < 0 ? undefined : last + 1);
  const [low, high] = [Math.log(ticks[0]), Math.log(ticks.at(-1)!)];
  return { place: (value) => from + (Math.log(value) - low) / (high - low) * (to - from), ticks };
}

/** 1, 2 or 5 times a power of ten, at least as large as `step`. */
function roundStep(step: number): number {
  const power = 10 ** Math.floor(Math.log10(step || 1));
  return [1, 2, 5, 10].map((ratio) => ratio * power).find((round) => round >= step * (1 - 1e-9))!;
}

/** The least and the most value; where they are equal, what lies around. */
function extent(values: readonly number[]): [number, number] {
  let [least, most] = [Infinity, -Infinity];
  for (const value of values) [least, most] = [Math.min(least, value), Math.max(most, value)];
  return least < most ? [least, most] : [least - Math.abs(least || 1) / 2, least + Math.abs(least || 1) / 2];
}
