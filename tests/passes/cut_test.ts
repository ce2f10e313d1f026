import { assert, assertEquals, assertThrows } from "@std/assert";
import { LimnerError } from "../../src/errors/mod.ts";
import { type Graph, GraphBuilder } from "../../src/graph/mod.ts";
import { add, assign, linear, mul, range, relu, reshape } from "../../src/operators/mod.ts";
import { cutGraph } from "../../src/passes/mod.ts";
import type { Tensor } from "../../src/tensor/mod.ts";
import { evaluate } from "../conformance/oracle.ts";
import { numbers } from "../conformance/repeatable_numbers.ts";

/** Layers with residuals, and a value made of a parameter that all of them add. */
function layers(count: number): Graph {
  const builder = new GraphBuilder("layers");
  let x = builder.input("x", "float32", ["batch", 4]);
  const shared = mul(builder.parameter("shared", [4]), builder.scalar(2));
  for (let n = 0; n < count; n++) {
    const inner = relu(linear(x, builder.parameter(`up.${n}`, [8, 4])));
    x = add(add(x, linear(inner, builder.parameter(`down.${n}`, [4, 8]))), shared);
    if (n === 0) builder.output("first", x);
  }
  builder.output("last", x);
  builder.output("numbers", reshape(range(builder, { size: 3 }), { shape: [3] }));
  return builder.build();
}

/** Run parts one after another. */
function run(parts: readonly Graph[], given: Record<string, Tensor>): Record<string, unknown> {
  const known = { ...given } as Parameters<typeof evaluate>[1] & Record<string, unknown>;
  const found: Record<string, unknown> = {};
  for (const part of parts) {
    const results = evaluate(part, known, { sizes: { batch: 2 } });
    Object.assign(known, results);
    for (const [name, { value }] of Object.entries(results)) if (!name.startsWith("part.")) found[name] = value.data;
  }
  return found;
}

Deno.test("a program in parts computes what it computes in one", () => {
  const graph = layers(6);
  const given: Record<string, Tensor> = { x: numbers(1, 2, 4) };
  let seed = 2;
  for (const [name, { shape }] of graph.parameters) given[name] = numbers(seed++, ...shape as number[]);
  const whole = run([graph], given);
  assertEquals(Object.keys(whole).sort(), ["first", "last", "numbers"]);
  for (const count of [1, 2, 3, 4, 6]) {
    const parts = cutGraph(graph, count);
    assertEquals(parts.length, count);
    assertEquals(run(parts, given), whole, `${count} parts`);
    // A parameter is read by one part, but for what all of them add.
    const read = parts.flatMap(({ parameters }) => [...parameters.keys()]).filter((name) => name !== "shared");
    assertEquals(read.length, new Set(read).size);
    const layersOf = parts.map(({ parameters }) => parameters.size);
    assert(Math.max(...layersOf) - Math.min(...layersOf) <= 3, `${layersOf}`);
  }
});

Deno.test("a program that cannot be cut says why", () => {
  assertThrows(
    () => cutGraph(layers(2), 100),
    LimnerError,
    "Cannot cut layers into 100 parts: expected a whole number",
  );
  assertThrows(() => cutGraph(layers(2), 0), LimnerError, "into 0 parts");
  const builder = new GraphBuilder("writes");
  const state = builder.state("state", "float32", [2]);
  assign(state, add(state, state));
  assertThrows(() => cutGraph(builder.build(), 2), LimnerError, "it has states");
});
