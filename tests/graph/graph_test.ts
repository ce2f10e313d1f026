import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { ShapeError } from "../../src/errors/mod.ts";
import {
  addDimensions,
  attributeKey,
  dimension,
  divideDimensions,
  GraphBuilder,
  multiplyDimensions,
  resolveDimension,
  resolveShape,
  type Value,
} from "../../src/graph/mod.ts";
import {
  add,
  argMax,
  assign,
  attention,
  cacheAppend,
  concat,
  conv2d,
  gather,
  linear,
  matmul,
  reshape,
  slice,
  topK,
  transpose,
  where,
} from "../../src/operators/mod.ts";
import { Tensor } from "../../src/tensor/mod.ts";

Deno.test("attributeKey() is the same for equal values only", () => {
  const values = [-Infinity, Infinity, NaN, -0, 0, 1, 1n, "1", true, null, undefined, [], [1, 2], [[1], 2], {}, {
    a: 1,
  }];
  const keys = [...values, ["1,2"], "[1,2]", { a: [1] }, { b: 1 }, { a: { b: 1 } }].map(attributeKey);
  assertEquals(new Set(keys).size, keys.length);
  assertEquals(attributeKey({ a: 1, b: undefined, c: [2] }), attributeKey({ c: [2], a: 1 }));
  assertThrows(() => attributeKey({ x: new Float32Array(1) }), TypeError, "hold a Float32Array: expected plain data");
});

Deno.test("dimensions have one canonical form, so that equal lengths are equal strings", () => {
  assertEquals(dimension("T+past"), dimension("past+T"));
  assertEquals(dimension("beams*batch"), "batch*beams");
  assertEquals(addDimensions("past+T", "T", -1), "past");
  assertEquals(addDimensions("T", -1), "T-1");
  assertEquals(addDimensions("T", "T", -1), 0);
  assertEquals(multiplyDimensions("batch", "beams", 4), multiplyDimensions(4, "beams", "batch"));
  assertEquals(multiplyDimensions("T", addDimensions("T", 1)), dimension("T*T+T"));
  assertEquals(divideDimensions("batch*beams", "batch"), "beams");
  assertEquals(divideDimensions(multiplyDimensions("T", 12), 4), "3*T");
  assertEquals(divideDimensions("T+1", "T"), undefined);
  assertEquals(divideDimensions(12, 5), undefined);
  assertEquals(dimension(dimension("2*T-3*past+1")), "2*T-3*past+1");
});

Deno.test("dimensions resolve to lengths, and name the size that is missing", () => {
  assertEquals(resolveDimension("batch*beams", { batch: 2, beams: 3 }), 6);
  assertEquals(resolveDimension("past+T-1", { past: 4, T: 1 }), 4);
  assertThrows(() => resolveDimension("past+T", { T: 1 }), ShapeError, '"past"');
  assertEquals(resolveDimension("T-2", { T: 1 }), -1);
  assertThrows(() => resolveShape([3, "T-2"], { T: 1 }), ShapeError, "-1");
  assertThrows(() => dimension("T+"), ShapeError, '"T+"');
});

function builderWith(...shapes: (number | string)[][]): [GraphBuilder, ...Value[]] {
  const builder = new GraphBuilder("test");
  return [builder, ...shapes.map((shape, i) => builder.input(`x${i}`, "float32", shape))];
}

Deno.test("shapes are inferred with names", () => {
  const [builder, x, weight, table] = builderWith(["rows", "T", 8], [12, 8], [100, 8]);
  assertEquals(linear(x, weight).shape, ["rows", "T", 12]);
  assertEquals(reshape(x, { shape: ["rows", "T", 2, -1] }).shape, ["rows", "T", 2, 4]);
  assertEquals(reshape(x, { shape: [-1, 8] }).shape, ["T*rows", 8]);
  assertEquals(concat([x, x], { axis: 1 }).shape, ["rows", "2*T", 8]);
  assertEquals(slice(x, { starts: [0, "T-1", 0], sizes: ["rows", 1, 8] }).shape, ["rows", 1, 8]);
  assertEquals(gather(table, builder.input("ids", "int64", ["rows", "T"]), { axis: 0 }).shape, ["rows", "T", 8]);
  assertEquals(argMax(x, { axis: -1 }).dataType, "int64");
});

Deno.test("operands that do not fit are refused with the operator, its label and the shapes", () => {
  const [builder, a, b] = builderWith([2, 3], [4, 5]);
  const error = assertThrows(() => builder.scope("encoder.layer.0", () => matmul(a, b)), ShapeError);
  assertEquals(
    error.message,
    "Cannot matmul a [2, 3], b [4, 5]: the inner dimensions must be equal (at encoder.layer.0)",
  );
  assertEquals(error.details, { op: "matmul", label: "encoder.layer.0", shapes: [[2, 3], [4, 5]] });
});

Deno.test("every shape rule refuses what it cannot take", () => {
  const [builder, x, y, q, k] = builderWith([2, 3], [3, 2], [4, 2, 1, 8], [3, 2, 5, 8]);
  const ids = builder.input("ids", "int64", [2]);
  const picture = builder.input("picture", "float32", [1, 3, 10, 8]);
  const kernel = builder.input("kernel", "float32", [6, 3, 4, 4]);
  const refused: [() => unknown, string][] = [
    [() => add(x, y), "do not broadcast"],
    [() => add(x, ids), "one data type"],
    [() => reshape(x, { shape: [4, 2] }), "6 elements"],
    [() => transpose(x, { permutation: [0, 0] }), "no permutation"],
    [() => slice(x, { starts: [0, 2], sizes: [2, 2] }), "outside axis 1"],
    [() => concat([x, y], { axis: 0 }), "only along axis 0"],
    [() => gather(x, y, { axis: 0 }), "int64 or int32"],
    [() => topK(x, { k: 4, axis: -1 }), "from 1 to 3"],
    [() => attention(q, k, k), "multiple of key's"],
    [() => conv2d(picture, kernel, { strides: [4, 4] }), "multiple of the patch"],
    [() => conv2d(picture, kernel, { strides: [2, 2] }), "must be those of the kernel"],
    [() => where(x, x, x), "must be bool or uint8"],
    [() => argMax(x, { axis: 2 }), "axis 2 does not exist"],
    [() => linear(x, x, { bias: y }), "bias must be [2]"],
  ];
  for (const [build, reason] of refused) assertStringIncludes(assertThrows(build, ShapeError).message, reason);
});

Deno.test("a state that was written in place may not be read any more; one assigned at the end may", () => {
  const builder = new GraphBuilder("states");
  const cache = builder.state("cache", "float32", [2, "capacity"]);
  const x = builder.input("x", "float32", [2, 1]);
  const next = cacheAppend(cache, x, { axis: 1, at: "past" });
  assertThrows(() => add(cache, x), ShapeError, "overwritten by cacheAppend");
  assertThrows(() => cacheAppend(cache, x, { axis: 1, at: 0 }), ShapeError, "overwritten");
  assertThrows(() => cacheAppend(x, x, { axis: 1, at: 0 }), ShapeError, "only a state can be written");
  cacheAppend(next, x, { axis: 1, at: 0 });
  const moment = builder.state("moment", "float32", [2, 1]);
  assign(moment, add(moment, x));
  assertEquals(add(moment, x).shape, [2, 1]);
  assertThrows(() => assign(moment, x), ShapeError, "written twice");
});

Deno.test("values of another graph, and one name with two shapes, are refused", () => {
  const [, x] = builderWith([2, 3]);
  const [other, y] = builderWith([2, 3]);
  assertThrows(() => add(y, x), ShapeError, "a value of the graph");
  other.parameter("weight", [3]);
  assertEquals(other.parameter("weight", [3]).shape, [3]);
  assertThrows(() => other.parameter("weight", [4]), ShapeError, '"weight"');
  other.output("y", y);
  assertThrows(() => other.output("y", y), ShapeError, "twice");
});

Deno.test("constants of one tensor, and scalars of one value, are one node", () => {
  const builder = new GraphBuilder("constants");
  const tensor = new Tensor("float32", [2], Float32Array.of(1, 2));
  assertEquals(builder.constant(tensor) === builder.constant(tensor), true);
  assertEquals(builder.constant(tensor) === builder.constant(new Tensor("float32", [2], tensor.data)), false);
  assertEquals(builder.scalar(2) === builder.scalar(2), true);
  assertEquals(builder.scalar(0) === builder.scalar(-0), false);
  assertEquals(builder.scalar(7, "int64").node.attributes, {
    tensor: new Tensor("int64", [], new BigInt64Array([7n])),
  });
});
