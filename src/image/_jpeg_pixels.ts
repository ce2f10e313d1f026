// The parts of JPEG decoding that touch every pixel, in WebAssembly SIMD, bit for bit as libjpeg-turbo does them:
// the inverse DCT (jidctint.c, "islow"), fancy upsampling (jdsample.c) and YCbCr to RGB (jdcolor.c).
import type { WasmFunction } from "./_assemble.ts";

/** One local's value, an instruction's operands in order, or a constant vector. */
const get = (name: string): string => `local.get $${name}`;
const set = (name: string, value: string): string => `${value} local.set $${name}`;
const both = (op: string, a: string, b: string): string => `${a} ${b} ${op}`;
const add = (a: string, b: string): string => both("i32x4.add", a, b);
const sub = (a: string, b: string): string => both("i32x4.sub", a, b);
const times = (a: string, factor: number): string => both("i32x4.mul", a, `i32.const ${factor} i32x4.splat`);
const shuffle = (a: string, b: string, lanes: readonly number[]): string =>
  `${a} ${b} i8x16.shuffle ${lanes.join(" ")}`;

/** Byte numbers of 32-bit lanes, 0 to 3 in the first vector and 4 to 7 in the second; likewise of 16 bits below. */
const lanes32 = (...lanes: number[]): number[] => lanes.flatMap((lane) => [0, 1, 2, 3].map((i) => 4 * lane + i));
const lanes16 = (...lanes: number[]): number[] => lanes.flatMap((lane) => [2 * lane, 2 * lane + 1]);

/** The eight-point inverse DCT of locals `v0` to `v7`, in place; the results are rounded and shifted by `shift`. */
function transform(v: readonly string[], shift: number): string {
  const round = (value: string): string =>
    `${add(value, `i32.const ${1 << (shift - 1)} i32x4.splat`)} i32.const ${shift} i32x4.shr_s`;
  const shl = (value: string): string => `${value} i32.const 13 i32x4.shl`;
  // The constants are jidctint.c's FIX(...): its names are those of the variables there.
  return [
    set("z1", times(add(get(v[2]), get(v[6])), 4433)),
    set("t2", add(get("z1"), times(get(v[6]), -15137))),
    set("t3", add(get("z1"), times(get(v[2]), 6270))),
    set("t0", shl(add(get(v[0]), get(v[4])))),
    set("t1", shl(sub(get(v[0]), get(v[4])))),
    set("t10", add(get("t0"), get("t3"))),
    set("t13", sub(get("t0"), get("t3"))),
    set("t11", add(get("t1"), get("t2"))),
    set("t12", sub(get("t1"), get("t2"))),
    set("z3", add(get(v[7]), get(v[3]))),
    set("z4", add(get(v[5]), get(v[1]))),
    set("z5", times(add(get("z3"), get("z4")), 9633)),
    set("z3", add(times(get("z3"), -16069), get("z5"))),
    set("z4", add(times(get("z4"), -3196), get("z5"))),
    set("z1", times(add(get(v[7]), get(v[1])), -7373)),
    set("z2", times(add(get(v[5]), get(v[3])), -20995)),
    set("t0", add(times(get(v[7]), 2446), add(get("z1"), get("z3")))),
    set("t1", add(times(get(v[5]), 16819), add(get("z2"), get("z4")))),
    set("t2", add(times(get(v[3]), 25172), add(get("z2"), get("z3")))),
    set("t3", add(times(get(v[1]), 12299), add(get("z1"), get("z4")))),
    ...[["t10", "t3"], ["t11", "t2"], ["t12", "t1"], ["t13", "t0"]].flatMap(([even, odd], i) => [
      set(v[i], round(add(get(even), get(odd)))),
      set(v[7 - i], round(sub(get(even), get(odd)))),
    ]),
  ].join("\n");
}

/** Transpose the 4 x 4 matrix whose rows are four locals, in place. */
function transpose(v: readonly string[]): string {
  const [a, b, c, d] = v;
  return [
    set("t0", shuffle(get(a), get(b), lanes32(0, 4, 1, 5))),
    set("t1", shuffle(get(c), get(d), lanes32(0, 4, 1, 5))),
    set("t2", shuffle(get(a), get(b), lanes32(2, 6, 3, 7))),
    set("t3", shuffle(get(c), get(d), lanes32(2, 6, 3, 7))),
    set(a, shuffle(get("t0"), get("t1"), lanes32(0, 1, 4, 5))),
    set(b, shuffle(get("t0"), get("t1"), lanes32(2, 3, 6, 7))),
    set(c, shuffle(get("t2"), get("t3"), lanes32(0, 1, 4, 5))),
    set(d, shuffle(get("t2"), get("t3"), lanes32(2, 3, 6, 7))),
  ].join("\n");
}

const eight = [0, 1, 2, 3, 4, 5, 6, 7];
const left = eight.map((i) => `l${i}`); // columns 0 to 3 of row i, then rows 0 to 3 of column i
const right = eight.map((i) => `r${i}`);
const upper = [...left.slice(0, 4), ...right.slice(0, 4)];
const lower = [...left.slice(4), ...right.slice(4)];

// A row of blocks: coefficients (int16, natural order) times quantisers (int16) to samples of a plane.
const inverseTransform = {
  name: "inverseTransform",
  parameters: ["coefficients", "quantisers", "target", "stride", "end"],
  integers: ["row"],
  vectors: [
    "z1",
    "z2",
    "z3",
    "z4",
    "z5",
    "t0",
    "t1",
    "t2",
    "t3",
    "t10",
    "t11",
    "t12",
    "t13",
    "c",
    "q",
    ...left,
    ...right,
  ],
  body: `
    loop
      ${
    eight.map((i) =>
      `${set("c", `${get("coefficients")} v128.load ${16 * i}`)} ${set("q", `${get("quantisers")} v128.load ${16 * i}`)}
       ${set(left[i], both("i32x4.extmul_low_i16x8_s", get("c"), get("q")))}
       ${set(right[i], both("i32x4.extmul_high_i16x8_s", get("c"), get("q")))}`
    ).join("\n")
  }
      ${set("c", "i32.const 0 i32x4.splat")}
      ${eight.map((i) => `${get("coefficients")} ${get("c")} v128.store ${16 * i}`).join("\n")}
      ${transform(left, 11)} ${transform(right, 11)}
      ${[left.slice(0, 4), left.slice(4), right.slice(0, 4), right.slice(4)].map(transpose).join("\n")}
      ${transform(upper, 18)} ${transform(lower, 18)}
      ${[upper.slice(0, 4), upper.slice(4), lower.slice(0, 4), lower.slice(4)].map(transpose).join("\n")}
      ${set("row", get("target"))}
      ${
    eight.map((i) => {
      const [half, at] = i < 4 ? [upper, i] : [lower, i - 4];
      const samples = both("i16x8.narrow_i32x4_s", get(half[at]), get(half[at + 4]));
      return `${get("row")} ${set("c", `${samples} i32.const 128 i16x8.splat i16x8.add_sat_s`)}
        ${both("i8x16.narrow_i16x8_u", get("c"), get("c"))} v128.store64_lane 0 0
        ${set("row", `${get("row")} ${get("stride")} i32.add`)}`;
    }).join("\n")
  }
      ${set("target", `${get("target")} i32.const 8 i32.add`)}
      ${get("coefficients")} i32.const 128 i32.add local.tee $coefficients
      ${get("end")} i32.lt_u br_if 0
    end`,
};

/** Two results side by side: `even` and `odd` are eight 16-bit sums, stored as sixteen samples. */
const storePairs = (even: string, odd: string): string =>
  `${get("target")}
   ${
    both(
      "i8x16.narrow_i16x8_u",
      shuffle(get(even), get(odd), lanes16(0, 8, 1, 9, 2, 10, 3, 11)),
      shuffle(get(even), get(odd), lanes16(4, 12, 5, 13, 6, 14, 7, 15)),
    )
  } v128.store 0
   ${set("target", `${get("target")} i32.const 16 i32.add`)}`;
const add16 = (a: string, b: string): string => both("i16x8.add", a, b);
const constant16 = (value: number): string => `i32.const ${value} i16x8.splat`;
const triple = (a: string): string => both("i16x8.mul", a, constant16(3));
const shr16 = (a: string, bits: number): string => `${a} i32.const ${bits} i16x8.shr_u`;
const widened = (row: string, offset: number): string => `${get(row)} i32.const ${offset} i32.add v128.load8x8_u 0`;

// A row of chroma to twice the width: 3/4 of the nearer sample and 1/4 of the farther. One sample on each side is read.
const doubleWidth = {
  name: "doubleWidth",
  parameters: ["source", "target", "end"],
  integers: [],
  vectors: ["near", "even", "odd"],
  body: `
    loop
      ${set("near", triple(widened("source", 0)))}
      ${set("even", shr16(add16(add16(get("near"), widened("source", -1)), constant16(1)), 2))}
      ${set("odd", shr16(add16(add16(get("near"), widened("source", 1)), constant16(2)), 2))}
      ${storePairs("even", "odd")}
      ${set("source", `${get("source")} i32.const 8 i32.add`)}
      ${get("source")} ${get("end")} i32.lt_u br_if 0
    end`,
};

const column = (offset: number): string => add16(triple(widened("near", offset)), widened("far", offset));

// Two rows of chroma, the nearer and the farther, to one row of twice the width.
const doubleBoth = {
  name: "doubleBoth",
  parameters: ["near", "far", "target", "end"],
  integers: [],
  vectors: ["this", "even", "odd"],
  body: `
    loop
      ${set("this", triple(column(0)))}
      ${set("even", shr16(add16(add16(get("this"), column(-1)), constant16(8)), 4))}
      ${set("odd", shr16(add16(add16(get("this"), column(1)), constant16(7)), 4))}
      ${storePairs("even", "odd")}
      ${set("far", `${get("far")} i32.const 8 i32.add`)}
      ${get("near")} i32.const 8 i32.add local.tee $near
      ${get("end")} i32.lt_u br_if 0
    end`,
};

/** (a · factor + 1/2) >> 16 of eight 16-bit lanes. */
function scaled(a: string, factor: number): string {
  const part = (half: string): string =>
    `${
      both(`i32x4.extmul_${half}_i16x8_s`, get(a), constant16(factor))
    } i32.const 32768 i32x4.splat i32x4.add i32.const 16 i32x4.shr_s`;
  return both("i16x8.narrow_i32x4_s", part("low"), part("high"));
}

const pairs = (from: number): string =>
  shuffle(get("cb"), get("cr"), lanes16(from, from + 8, from + 1, from + 9, from + 2, from + 10, from + 3, from + 11));
const greens = `i32.const ${18734 * 65536 + (65536 - 22554)} i32x4.splat`; // cb · -0.34414 + cr · (1 - 0.71414), in pairs
const greenPart = (from: number): string =>
  `${pairs(from)} ${greens} i32x4.dot_i16x8_s i32.const 32768 i32x4.splat i32x4.add i32.const 16 i32x4.shr_s`;
const centered = (row: string): string => both("i16x8.sub", `${get(row)} v128.load8x8_u 0`, constant16(128));
const narrow = (a: string): string => both("i8x16.narrow_i16x8_u", get(a), get(a));

// Rows of Y, Cb and Cr to RGB, eight pixels at a time; eight bytes beyond the end are written.
const toRgb = {
  name: "toRgb",
  parameters: ["luma", "blue", "red", "target", "end"],
  integers: [],
  vectors: ["y", "cb", "cr", "r", "g", "b"],
  body: `
    loop
      ${set("y", `${get("luma")} v128.load8x8_u 0`)}
      ${set("cb", centered("blue"))} ${set("cr", centered("red"))}
      ${set("r", add16(get("y"), add16(get("cr"), scaled("cr", 26345))))}
      ${set("b", add16(get("y"), add16(add16(get("cb"), get("cb")), scaled("cb", -14942))))}
      ${
    set(
      "g",
      both(
        "i16x8.sub",
        add16(get("y"), both("i16x8.narrow_i32x4_s", greenPart(0), greenPart(4))),
        get("cr"),
      ),
    )
  }
      ${set("r", shuffle(narrow("r"), narrow("g"), [0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23]))}
      ${set("b", narrow("b"))}
      ${get("target")}
      ${shuffle(get("r"), get("b"), [0, 1, 16, 2, 3, 17, 4, 5, 18, 6, 7, 19, 8, 9, 20, 10])} v128.store 0
      ${get("target")}
      ${shuffle(get("r"), get("b"), [11, 21, 12, 13, 22, 14, 15, 23, 0, 0, 0, 0, 0, 0, 0, 0])} v128.store64_lane 16 0
      ${set("luma", `${get("luma")} i32.const 8 i32.add`)}
      ${set("blue", `${get("blue")} i32.const 8 i32.add`)}
      ${set("red", `${get("red")} i32.const 8 i32.add`)}
      ${get("target")} i32.const 24 i32.add local.tee $target
      ${get("end")} i32.lt_u br_if 0
    end`,
};

/** The kernels; all arguments are byte addresses in the memory but strides. */
export interface PixelKernels {
  /** Transform blocks from `coefficients` (int16, 64 a block), which become zero, up to `end` into a row of blocks. */
  inverseTransform(coefficients: number, quantisers: number, target: number, stride: number, end: number): void;
  /** Double the samples from `source` up to `end`; eight are taken at a time, one more is read on each side. */
  doubleWidth(source: number, target: number, end: number): void;
  /** Double the samples of a row in both directions, `near` up to `end`. */
  doubleBoth(near: number, far: number, target: number, end: number): void;
  /** Convert rows to RGB until `target` reaches `end`. */
  toRgb(luma: number, blue: number, red: number, target: number, end: number): void;
}

/** The functions of `PixelKernels`. */
export const pixelKernels: readonly WasmFunction[] = [inverseTransform, doubleWidth, doubleBoth, toRgb];
