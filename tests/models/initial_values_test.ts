import { assert, assertEquals } from "@std/assert";
import { erf } from "../../backends/reference/elementwise.ts";
import { fill, type Initial } from "../../src/models/parameters/initial_values.ts";

const count = 1 << 20;

const draw = (initial: Initial, { name = "w", seed = 1, size = count } = {}): Float32Array =>
  fill(initial, name, [size], seed).data as Float32Array;

/** The largest distance of the numbers' distribution from another, times √n: over 2 with probability 0.0007. */
function kolmogorov(numbers: Float32Array, distribution: (x: number) => number): number {
  let largest = 0;
  numbers.toSorted().forEach((x, i) => {
    const share = distribution(x);
    largest = Math.max(largest, Math.abs(share - i / count), Math.abs(share - (i + 1) / count));
  });
  return largest * Math.sqrt(count);
}

const normal = (x: number): number => (1 + erf(x * Math.SQRT1_2)) / 2;

Deno.test("new parameters are normal, tails included", () => {
  const numbers = draw({ kind: "normal", deviation: 0.5 });
  assert(kolmogorov(numbers, (x) => normal(x / 0.5)) < 2);
  // Within one layer of the ziggurat, across its edges, and beyond its last one, on either side.
  for (
    const [from, to] of [[0, 0.2], [0.21, 0.22], [2.5, 3], [3.4, 3.6541528853610088], [3.66, 3.9], [3.9, Infinity]]
  ) {
    const expected = (normal(to) - normal(from)) * count;
    for (const side of [1, -1]) {
      const found = numbers.filter((x) => side * x / 0.5 >= from && side * x / 0.5 < to).length;
      assert(
        Math.abs(found - expected) < 4.5 * Math.sqrt(expected) + 1,
        `${found} of ${expected} from ${from} to ${to}`,
      );
    }
  }
  for (const apart of [1, 2, 3, 256, 1024]) {
    const sum = numbers.subarray(apart).reduce((total, x, i) => total + x * numbers[i] / 0.25, 0);
    assert(Math.abs(sum / Math.sqrt(count)) < 4.5, `${sum} for numbers ${apart} apart`);
  }
});

Deno.test("truncated and uniform new parameters are within their bounds, and so distributed", () => {
  const truncated = draw({ kind: "truncatedNormal", deviation: 1.5 });
  assert(truncated.every((x) => Math.abs(x) <= 2));
  const [low, high] = [normal(-2 / 1.5), normal(2 / 1.5)];
  assert(kolmogorov(truncated, (x) => (normal(x / 1.5) - low) / (high - low)) < 2);
  const uniform = draw({ kind: "uniform", bound: 0.25 });
  assert(uniform.every((x) => x >= -0.25 && x < 0.25));
  assert(kolmogorov(uniform, (x) => (x + 0.25) / 0.5) < 2);
});

Deno.test("new parameters repeat with seed and name, and differ by either", () => {
  const initial: Initial = { kind: "normal", deviation: 1 };
  const first = (options: { name?: string; seed?: number; size?: number } = {}) =>
    [...draw(initial, { size: 3000, ...options }).subarray(0, 4)].map((x) => x.toFixed(6)).join(" ");
  assertEquals(first(), first());
  assertEquals(first({ size: 4 }), first());
  const others = [{ name: "v" }, { seed: 2 }, { seed: 1 + 2 ** 32 }, { seed: 0 }].map(first);
  assertEquals(new Set([first(), ...others]).size, 5);
  // What a published script's seed gives must not change with a release.
  assertEquals(first(), "0.919865 -0.857465 -0.687528 -1.285496");
});
