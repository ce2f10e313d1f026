import { assertEquals, assertThrows } from "@std/assert";
import { ShapeError } from "../../src/errors/mod.ts";
import { type DataType, Tensor, toBfloat16, toFloat32, type TypedArray, widenBfloat16 } from "../../src/tensor/mod.ts";

Deno.test("Tensor.toList() nests as deep as the rank and turns int64 into numbers", () => {
  assertEquals(new Tensor("int64", [1, 2], new BigInt64Array([1n, -2n])).toList(), [[1, -2]]);
  assertEquals(new Tensor("float32", [], new Float32Array([3])).toList(), 3);
  assertEquals(new Tensor("float32", [2, 0], new Float32Array(0)).toList(), [[], []]);
  assertEquals(new Tensor("bfloat16", [1], new Uint16Array([0x3f80])).toList(), [1]);
});

Deno.test("Tensor refuses a shape that its data does not fill, and data of another type", () => {
  assertThrows(() => new Tensor("float32", [2, 3], new Float32Array(5)), ShapeError, "6 elements, but the data has 5");
  assertThrows(() => new Tensor("int64", [1], new Int32Array(1)), ShapeError, "Int32Array");
  assertThrows(() => new Tensor("float32", [-1], new Float32Array(1)), ShapeError, "whole numbers");
});

Deno.test("bfloat16 rounds to nearest even and widens exactly", () => {
  const values = [0, -0, 1, -2.5, 3.1415927, 1e-40, 65504, Infinity, -Infinity];
  const bits = new Uint16Array(values.map(toBfloat16));
  const wide = widenBfloat16(bits);
  assertEquals(wide[2], 1);
  assertEquals(wide[4], 3.140625);
  assertEquals(wide[7], Infinity);
  assertEquals(Number.isNaN(widenBfloat16(new Uint16Array([toBfloat16(NaN)]))[0]), true);
  assertEquals(toBfloat16(1.00390625), 0x3f80); // a tie, to even
});

Deno.test("toFloat32() widens every type, into an array that is given too", () => {
  const cases: [DataType, TypedArray, number[]][] = [
    ["float16", new Float16Array([1, -0.5, 65504]), [1, -0.5, 65504]],
    ["bfloat16", new Uint16Array([0x3f80, 0xc000]), [1, -2]],
    ["int64", new BigInt64Array([3n, -4n]), [3, -4]],
    ["uint8", new Uint8Array([0, 255]), [0, 255]],
    ["float32", new Float32Array([1.5]), [1.5]],
  ];
  for (const [type, data, expected] of cases) {
    assertEquals([...toFloat32(type, data)], expected);
    const target = new Float32Array(data.length);
    assertEquals(toFloat32(type, data, target), target);
    assertEquals([...target], expected);
  }
});
