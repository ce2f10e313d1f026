import { assert, assertEquals, assertThrows } from "@std/assert";
import { ShapeError } from "../../src/errors/mod.ts";
import { GraphBuilder } from "../../src/graph/mod.ts";
import { bernoulli, dropout, leastTrue, randomKey, streamOf } from "../../src/operators/mod.ts";
import { Tensor } from "../../src/tensor/mod.ts";
import { decide, keyTensor } from "../conformance/random_draws.ts";

/** Decisions as numbers of mean 0 and variance 1. */
function standardized(shape: readonly number[], probability: number, { stream = 1, seed = 5, step = 9 } = {}) {
  const { data } = decide(keyTensor(seed, step), shape, { probability, stream });
  const deviation = Math.sqrt(probability * (1 - probability));
  return Float64Array.from(data as Uint8Array, (value) => (value - probability) / deviation);
}

/** The sum of products over its deviation, which is about normal where the factors are independent. */
function correlation(a: Float64Array, b: Float64Array): number {
  return a.reduce((sum, x, i) => sum + x * b[i], 0) / Math.sqrt(a.length);
}

/** Of sums over axes how much their squares differ from what independent draws have, in deviations. */
function chiSquare(sums: Float64Array, terms: number): number {
  const total = sums.reduce((sum, x) => sum + x * x / terms, 0);
  return (total - sums.length) / Math.sqrt(2 * sums.length);
}

const [lines, places] = [591, 768];

for (const probability of [0.9, 0.5, 0.03]) {
  Deno.test(`decisions of probability ${probability} are as probable everywhere, and independent`, () => {
    const drawn = standardized([3, lines / 3, places], probability);
    const below = (what: string, value: number) => assert(Math.abs(value) < 5, `${what} is off by ${value} deviations`);
    const [byLine, byPlace] = [new Float64Array(lines), new Float64Array(places)];
    drawn.forEach((x, i) => {
      byLine[Math.floor(i / places)] += x;
      byPlace[i % places] += x;
    });
    below("the mean", correlation(drawn, drawn.map(() => 1)));
    below("chi-square of lines", chiSquare(byLine, places));
    below("chi-square of places", chiSquare(byPlace, lines));
    for (const apart of [1, 2, 64, places, 3 * places, 197 * places]) {
      below(`what is ${apart} apart`, correlation(drawn.subarray(apart), drawn.subarray(0, -apart)));
    }
    // Two lines and two places, whose words are made of the same four.
    const corners = Float64Array.from({ length: 100_000 }, (_, i) => {
      const [line, place] = [i % (lines - 7), (i * 5) % (places - 11)];
      const at = (l: number, p: number) => drawn[l * places + p];
      return at(line, place) * at(line + 7, place) * at(line, place + 11) * at(line + 7, place + 11);
    });
    const spread = Math.sqrt(corners.reduce((sum, x) => sum + x * x, 0) / corners.length);
    below("four corners", correlation(corners, corners.map(() => 1)) / spread);
    for (const other of [{ stream: 2 }, { stream: 0x80000001 }, { seed: 6 }, { step: 10 }, { seed: 5 + 2 ** 40 }]) {
      below(JSON.stringify(other), correlation(drawn, standardized([lines, places], probability, other)));
    }
  });
}

Deno.test("decisions are those of the same formula in numpy", () => {
  // import numpy as np; u = np.uint32
  // def mix(w): w = (w ^ w >> u(16)) * u(0x7feb352d); w = (w ^ w >> u(15)) * u(0x846ca68b); return w ^ w >> u(16)
  // line = mix(mix(np.arange(2, dtype=u) + u(-5 % 2**32)) + u(4000000000)); place = mix(np.arange(8, dtype=u) + u(7))
  // w = (line[:, None] ^ place) * u(0x7feb352d); w = (w ^ w >> u(15)) * u(0x846ca68b); (w >= u(2**31)).astype(int)
  const key = new Tensor("int64", [2], BigInt64Array.of(-5n, 7n));
  const drawn = decide(key, [2, 8], { probability: 0.5, stream: 4_000_000_000 });
  assertEquals([...drawn.data as Uint8Array], [1, 0, 1, 1, 0, 0, 1, 1, 0, 1, 0, 1, 1, 1, 0, 1]);
});

Deno.test("a key differs by seed and step, and a stream by name", () => {
  const keys = [[0, 0], [1, 0], [0, 1], [2 ** 32, 0], [0, 2 ** 32]].map(([seed, step]) => randomKey(seed, step).join());
  assertEquals(new Set(keys).size, 5);
  assertEquals(randomKey(3, 4), randomKey(3, 4));
  assert([...randomKey(3, 4)].every((word) => word === BigInt.asIntN(32, word)));
  // FNV-1a's own examples (Fowler, Noll and Vo).
  assertEquals([streamOf(""), streamOf("a"), streamOf("foobar")], [0x811c9dc5, 0xe40c292c, 0xbf9cf968]);
});

Deno.test("probabilities and streams that cannot be are refused", () => {
  const builder = new GraphBuilder("refused");
  const [x, key] = [builder.input("x", "float32", [2]), builder.input("key", "int64", [2])];
  for (const probability of [1, -0.1, NaN]) {
    assertThrows(() => dropout(x, key, { probability, stream: 0 }), ShapeError, `${probability}`);
  }
  for (const probability of [0, 1.1, NaN]) {
    assertThrows(() => bernoulli(key, { shape: [2], probability, stream: 0 }), ShapeError, `${probability}`);
  }
  assertThrows(() => dropout(x, key, { probability: 0.5, stream: -1 }), ShapeError, "-1");
  assertThrows(() => dropout(x, x, { probability: 0.5, stream: 0 }), ShapeError, "int64 [2]");
  assertEquals([leastTrue(1), leastTrue(0.75), leastTrue(2 ** -40)], [0, 2 ** 30, 2 ** 32 - 1]);
});
