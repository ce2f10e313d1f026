import { assertEquals, assertThrows } from "@std/assert";
import { load } from "../../backends/reference/mod.ts";
import { LimnerError } from "../../src/errors/mod.ts";
import { type Graph, GraphBuilder } from "../../src/graph/mod.ts";
import { add, composites, gelu, mul, primitives, reshape, softmax, transpose } from "../../src/operators/mod.ts";
import { legalize, simplify } from "../../src/passes/mod.ts";
import { gradientRules } from "../../src/gradient/gradient_rules.ts";
import { Tensor } from "../../src/tensor/mod.ts";
import { execute } from "../conformance/execute.ts";

const operatorsOf = (graph: Graph): string[] => graph.nodes.map((node) => node.operator.name);

Deno.test("legalize() expands composites until everything is supported", () => {
  const builder = new GraphBuilder("composites");
  const x = builder.input("x", "float32", [2, 5]);
  builder.output("y", softmax(gelu(x), { axis: -1 }));
  const kept = legalize(builder.build(), (node) => node.operator.name !== "gelu");
  assertEquals(operatorsOf(kept).includes("softmax"), true);
  assertEquals(operatorsOf(kept).includes("gelu"), false);
  const primitive = legalize(kept, (node) => Object.hasOwn(primitives, node.operator.name));
  assertEquals(operatorsOf(primitive).some((name) => Object.hasOwn(composites, name)), false);
});

Deno.test("legalize() names a primitive that a backend lacks", () => {
  const builder = new GraphBuilder("lacking");
  const x = builder.input("x", "float32", [2]);
  builder.scope("decoder.head", () => builder.output("y", add(x, x)));
  assertThrows(() => legalize(builder.build(), () => false), LimnerError, "add is not supported (at decoder.head)");
});

Deno.test("simplify() drops what has no use, merges equals and removes movements that undo each other", async () => {
  const builder = new GraphBuilder("wasteful");
  const x = builder.input("x", "float32", [2, 3, 4]);
  const unused = builder.input("unused", "float32", [1]);
  mul(unused, unused);
  const there = transpose(x, { permutation: [0, 2, 1] });
  const back = transpose(there, { permutation: [0, 2, 1] });
  const flat = reshape(reshape(back, { shape: [6, 4] }), { shape: [2, 3, 4] });
  builder.output("sum", add(mul(x, flat), mul(x, back)));
  const graph = builder.build();
  const small = simplify(graph);
  // The reshapes cancel, both products become one; the unused input stays, since it is part of the program's face.
  assertEquals(operatorsOf(simplify(small)).toSorted(), ["add", "input", "input", "mul"]);
  const data = Float32Array.from({ length: 24 }, (_, i) => i - 7);
  const tensors = { x: new Tensor("float32", [2, 3, 4], data) };
  await using backend = await load();
  assertEquals((await execute(backend, small, tensors)).sum, (await execute(backend, graph, tensors)).sum);
});

Deno.test("every primitive has a gradient rule", () => {
  assertEquals(Object.keys(primitives).filter((name) => !Object.hasOwn(gradientRules, name)), []);
});
