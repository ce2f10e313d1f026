import { assertEquals } from "@std/assert";
import { type Graph, GraphBuilder, type Value } from "../../src/graph/mod.ts";
import {
  add,
  assign,
  cacheAppend,
  matmul,
  mul,
  reduceSum,
  relu,
  reshape,
  sqrt,
  sub,
  transpose,
} from "../../src/operators/mod.ts";
import { assignedInPlace } from "../../src/passes/mod.ts";

/** The names of the states that a graph may assign in place. */
function statesOf(graph: Graph): string[] {
  const states = new Map([...graph.states, ...graph.parameters].map(([name, value]) => [value, name]));
  return [...assignedInPlace(graph).values()].map((state) => states.get(state)!);
}

type Build = (values: Record<"a" | "b" | "x" | "two", Value>, builder: GraphBuilder) => unknown;

/** The states among a and b [3, 3] that a program may assign in place. */
function inPlace(build: Build): string[] {
  const builder = new GraphBuilder("program");
  const [a, b] = ["a", "b"].map((name) => builder.state(name, "float32", [3, 3]));
  build({ a, b, x: builder.input("x", "float32", [3, 3]), two: builder.scalar(2) }, builder);
  return statesOf(builder.build());
}

const turn = (value: Value) => transpose(value, { permutation: [1, 0] });

Deno.test("assignedInPlace() takes AdamW's parameter and both moments", () => {
  const builder = new GraphBuilder("adam");
  const p = builder.parameter("p", [3, 3]);
  const [m, v] = ["m", "v"].map((name) => builder.state(name, "float32", [3, 3]));
  const half = builder.scalar(0.5);
  const x = builder.input("x", "float32", [3, 3]);
  const gradient = matmul(turn(x), sub(matmul(x, p), matmul(x, turn(p))));
  const moment = add(mul(m, half), mul(gradient, half));
  const squares = add(mul(v, half), mul(mul(gradient, gradient), half));
  assign(m, moment);
  assign(v, squares);
  assign(p, sub(mul(p, half), mul(moment, sqrt(squares))));
  assertEquals(statesOf(builder.build()), ["m", "v", "p"]);
});

const taken: Record<string, Build> = {
  "an operand that is the state": ({ a, two }) => assign(a, mul(a, two)),
  "a value that does not read the state": ({ a, x, two }) => assign(a, mul(x, two)),
  "a reader that the new value needs": ({ a, x }) => assign(a, sub(a, matmul(x, relu(matmul(turn(a), x))))),
  "a new value that is read, and is a result": ({ a, two }, builder) => {
    const value = assign(a, mul(a, two));
    builder.output("turned", turn(value));
    builder.output("new", value);
  },
};

for (const [name, build] of Object.entries(taken)) {
  Deno.test(`assignedInPlace() takes ${name}`, () => assertEquals(inPlace(build), ["a"]));
}

const refused: Record<string, Build> = {
  "values that no node computes": ({ a, b, x }) => (assign(a, b), assign(b, x)),
  "what no elementwise node computes": ({ a, x }) => assign(a, matmul(a, x)),
  "a reader that the new value does not need": ({ a, two }, builder) => {
    builder.output("sum", reduceSum(turn(a), { axes: [0] }));
    assign(a, mul(a, two));
  },
  "a state whose new value another one needs the old one for": ({ a, b, two }) => {
    assign(a, add(b, two));
    assign(b, add(a, two));
  },
  "an old value that is a result": ({ a, two }, builder) => {
    builder.output("old", reshape(a, { shape: [9] }));
    assign(a, mul(a, two));
  },
  "an old value that another state takes": ({ a, b, two }) => (assign(a, mul(a, two)), assign(b, turn(a))),
  "a new value that another state takes too": ({ a, b, two }) => {
    const both = mul(a, two);
    assign(a, both);
    assign(b, both);
  },
  "an operand that is a view of the state": ({ a, two }) => assign(a, add(mul(a, two), turn(a))),
  "a product of the old value that may be one kernel with the node": ({ a, x }) => assign(a, add(a, matmul(x, a))),
  "a state that is written again": ({ a, two }) =>
    assign(assign(a, mul(a, two)), two.builder.input("x", "float32", [3, 3])),
  "a state that was written before": ({ a, x, two }) => {
    assign(cacheAppend(a, x, { axis: 1, at: 0 }), mul(x, two));
  },
};

for (const [name, build] of Object.entries(refused)) {
  Deno.test(`assignedInPlace() refuses ${name}`, () => assertEquals(inPlace(build), []));
}
