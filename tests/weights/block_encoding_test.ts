import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { FormatError } from "../../src/errors/mod.ts";
import { allocateArray, Tensor, type TypedArray } from "../../src/tensor/mod.ts";
import {
  type BlockEncoding,
  blockShapes,
  type CodeForm,
  codeType,
  decodeBlocks,
  hasRowScales,
  layOutCodes,
  weightFromTensor,
} from "../../src/weights/mod.ts";
import { Quantizer } from "../../src/weights/quantized_weight.ts";
import { encodeBlocks } from "../../src/weights/encode_blocks.ts";
import { numbers } from "../conformance/repeatable_numbers.ts";

const encodings: readonly BlockEncoding[] = [
  { bits: 8, block: 16, axis: 1 },
  { bits: 8, block: 64, axis: 0 },
  { bits: 4, block: 32, axis: 1 },
  { bits: 4, block: 16, axis: 0 },
];

for (const encoding of encodings) {
  const { bits, block, axis } = encoding;
  Deno.test(`blocks of ${block} along axis ${axis} with ${bits} bits decode to the nearest of their numbers`, () => {
    const shape = axis === 1 ? [37, 128] : [128, 37];
    const values = numbers(bits + block, ...shape).data as Float32Array;
    const { codes, scales } = encodeBlocks(values, shape, encoding);
    const shapes = blockShapes(shape, encoding);
    assertEquals([codes.length, scales.length], [37 * 128 * bits / 8, 37 * 128 / block]);
    assertEquals([shapes.codes, shapes.scales], [[37, 128 * bits / 8], [37, 128 / block]]);
    const decoded = decodeBlocks({ codes, scales }, shape, encoding);
    // Of 4 bits the sixteenth step above the middle is missing: what is there may be a whole step away.
    const most = bits === 8 ? 0.5 : 1;
    for (let row = 0; row < 37; row++) {
      for (let column = 0; column < 128; column++) {
        const at = axis === 1 ? row * 128 + column : column * 37 + row;
        const scale = Math.abs(scales[row * 128 / block + Math.floor(column / block)]);
        const away = Math.abs(decoded[at] - values[at]);
        assert(away <= most * scale * (1 + 1e-5), `${values[at]} became ${decoded[at]}, a step is ${scale}`);
      }
    }
  });
}

Deno.test("codes are those of the formulas, computed in float32, to the last one", () => {
  const f = Math.fround;
  const values = numbers(11, 50, 192).data as Float32Array;
  values.set([1, -1, 1, -1], 0); // of equal distances from 0 the negative one counts
  for (const { bits, block } of encodings) {
    const { codes, scales } = encodeBlocks(values, [50, 192], { bits, block, axis: 1 });
    for (let n = 0; n < scales.length; n++) {
      const own = values.subarray(n * block, (n + 1) * block);
      const [most, least] = [Math.max(...own), Math.min(...own)];
      const furthest = most > -least ? most : least;
      assertEquals(scales[n], f(bits === 8 ? Math.abs(furthest) / 127 : furthest / -8));
      const factor = f(1 / scales[n]);
      own.forEach((value, i) => {
        const code = Math.trunc(f(f(value * factor) + (bits === 8 ? 128.5 : 8.5)));
        const at = n * block + i;
        const found = bits === 8 ? codes[at] : codes[at >> 1] >> (at & 1) * 4 & 15;
        assertEquals(found, bits === 8 ? code : Math.min(15, code));
      });
    }
  }
});

Deno.test("codes lie in rows or in columns, as they are or less the middle one, and nothing is lost", () => {
  const shape = { rows: 70, columns: 48 };
  const codes = Uint8Array.from({ length: 70 * 48 }, (_, i) => i * 7 + (i >> 8));
  const laidOut = (from: CodeForm, to: CodeForm, given: TypedArray) => {
    const into = allocateArray(codeType(to), codes.length);
    layOutCodes(given, shape, { from, to }, into);
    return into;
  };
  const columns = laidOut("rows", "columns", codes);
  const signed = laidOut("rows", "signedColumns", codes);
  for (let i = 0; i < codes.length; i++) {
    const at = (i % 48) * 70 + Math.trunc(i / 48);
    assertEquals([columns[at], signed[at]], [codes[i], codes[i] - 128]);
  }
  const unaligned = new Int8Array([0, 0, 0, ...signed as Int8Array]).subarray(3);
  for (const given of [signed, unaligned]) {
    assertEquals(laidOut("signedColumns", "columns", given), columns);
    assertEquals(laidOut("signedColumns", "rows", given), codes);
  }
  assertEquals(laidOut("columns", "rows", columns), codes);
});

Deno.test("rows that have one scale have the codes of one long block, along axis 1 with 8 bits only", () => {
  const values = numbers(12, 37, 768).data as Float32Array;
  const encoding = { bits: 8, block: 64, axis: 1 } as const;
  const { codes, scales } = encodeBlocks(values, [37, 768], { ...encoding, rowScales: true });
  assertEquals([hasRowScales(scales, [37, 12]), scales.length], [true, 37 * 12]);
  assertEquals(hasRowScales(encodeBlocks(values, [37, 768], encoding).scales, [37, 12]), false);
  assertEquals(hasRowScales(scales.slice().fill(1, 36 * 12 + 11), [37, 12]), false);
  for (let row = 0; row < 37; row++) {
    const own = values.subarray(row * 768, (row + 1) * 768);
    const scale = Math.fround(Math.max(...own.map(Math.abs)) / 127);
    assertEquals(scales[row * 12], scale);
    own.forEach((value, i) => assert(Math.abs((codes[row * 768 + i] - 128) * scale - value) <= 0.5001 * scale));
  }
  for (const other of [{ bits: 8, block: 64, axis: 0 }, { bits: 4, block: 32, axis: 1 }] as const) {
    assertThrows(() => encodeBlocks(values, [768, 37], { ...other, rowScales: true }), FormatError, "one scale");
  }
  values[5] = NaN;
  assertThrows(() => encodeBlocks(values, [37, 768], { ...encoding, rowScales: true }), FormatError, "NaN");
});

Deno.test("blocks that no kernel is for are refused", () => {
  for (const block of [8, 40, 512]) {
    const encoding = { bits: 8, block, axis: 1 } as const;
    assertThrows(
      () => encodeBlocks(new Float32Array(2 * block), [2, block], encoding),
      FormatError,
      `${block} numbers`,
    );
  }
});

Deno.test("blocks along axis 0 are those of the transposed matrix along axis 1", () => {
  const matrix = numbers(5, 48, 70);
  const turned = Float32Array.from(matrix.data as Float32Array, (_, i) => {
    return (matrix.data as Float32Array)[(i % 48) * 70 + Math.floor(i / 48)];
  });
  for (const bits of [8, 4] as const) {
    const along0 = encodeBlocks(matrix.data as Float32Array, [48, 70], { bits, block: 16, axis: 0 });
    assertEquals(along0, encodeBlocks(turned, [70, 48], { bits, block: 16, axis: 1 }));
  }
});

Deno.test("a block keeps its largest number, zeros, and the smallest numbers", () => {
  const values = new Float32Array(64);
  values.set([1, -2, 0.5, 0], 0);
  values.fill(1e-45, 32, 48);
  const [exact, four] = ([8, 4] as const).map((bits) => {
    const encoding = { bits, block: 16, axis: 1 } as const;
    return decodeBlocks(encodeBlocks(values, [1, 64], encoding), [1, 64], encoding);
  });
  assertEquals([exact[1], exact[3], exact[16]], [-2, 0, 0]);
  assertEquals([four[1], four[2], Math.abs(four[16])], [-2, 0.5, 0]);
  assert([...exact, ...four].every(Number.isFinite));
});

Deno.test("what is NaN or infinite is not quantised, and the weight is named", async () => {
  for (const wrong of [NaN, Infinity, -Infinity]) {
    for (const bits of [8, 4] as const) {
      const values = numbers(1, 4, 32).data as Float32Array;
      values[77] = wrong;
      assertThrows(() => encodeBlocks(values, [4, 32], { bits, block: 16, axis: 1 }), FormatError, "NaN or infinite");
      const weight = weightFromTensor(new Tensor("float32", [4, 32], values));
      const { blocks } = new Quantizer().quantized("layer.weight", weight, { bits, block: 16, axis: 1 });
      await assertRejects(() => blocks!.load(), FormatError, '"layer.weight": it cannot be quantised');
    }
  }
});

Deno.test("a large weight is quantised in a worker as here, of any floating-point type, and stays as it is", async () => {
  const shape = [1024, 1024];
  const values = numbers(3, ...shape).data as Float32Array;
  const halves = new Float16Array(values);
  const encoding = { bits: 8, block: 64, axis: 0 } as const;
  const quantizer = new Quantizer();
  for (const [dataType, data] of [["float32", values], ["float16", halves]] as const) {
    const weight = weightFromTensor(new Tensor(dataType, shape, data));
    const quantized = quantizer.quantized("weight", weight, encoding);
    const expected = encodeBlocks(Float32Array.from(data), shape, encoding);
    const [first, second] = await Promise.all([quantized.blocks!.load(), quantized.blocks!.load()]);
    assert(first.codes.every((code, i) => code === expected.codes[i]));
    assertEquals(second.scales, expected.scales);
    assertEquals((await quantized.load()).data, decodeBlocks(expected, shape, encoding));
    assertEquals(data.length, 1024 * 1024);
  }
  // The workers end by themselves after a while, for which the test waits.
  await new Promise((resolve) => setTimeout(resolve, 700));
});
