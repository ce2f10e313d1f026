// The two passes of resampling in WebAssembly SIMD. Think of each output sample as a weighted sum of a few neighbouring source
// samples (its taps), in 32-bit fixed point: `row` sums neighbours in a row, a pixel of four channels at a time, `column` sums
// neighbours in a column, sixteen columns at a time. resample.ts makes the weights and decides the order of the passes.
// Pictures are copied through the module's memory in parts that fit the processor's cache.
import { assemble } from "../../wasm/assembler.ts";

/** For each output pixel of an axis, the source pixels that it is a weighted sum of (taps), with fixed-point weights. */
export interface Taps {
  /** How many weights are stored for each output pixel. */
  readonly size: number;
  /** The first source pixel. */
  readonly first: Int32Array;
  /** How many source pixels there are. */
  readonly count: Int32Array;
  /** Shape [output, size]. */
  readonly weights: Int32Array;
}

/** Fractional bits of a weight: 32 - 8 (a sample) - 2 (overshoot). */
export const precision = 22;
const half = 1 << (precision - 1);

// One row of RGB: each output pixel is a sum over consecutive source pixels. Four bytes are read for three channels.
const row = {
  name: "row",
  parameters: ["source", "target", "end", "firsts", "counts", "weights", "stride"],
  integers: ["from", "weight", "stop"],
  vectors: ["sum"],
  body: `
    loop
      i32.const ${half} i32x4.splat local.set $sum
      local.get $source local.get $firsts i32.load 0 i32.add local.set $from
      local.get $weights local.tee $weight local.get $counts i32.load 0 i32.add local.set $stop
      loop
        local.get $sum
        local.get $from v128.load32_zero 0 i16x8.extend_low_i8x16_u i32x4.extend_low_i16x8_u
        local.get $weight v128.load32_splat 0 i32x4.mul i32x4.add local.set $sum
        local.get $from i32.const 3 i32.add local.set $from
        local.get $weight i32.const 4 i32.add local.tee $weight
        local.get $stop i32.lt_u br_if 0
      end
      local.get $target
      local.get $sum i32.const ${precision} i32x4.shr_s local.tee $sum
      local.get $sum i16x8.narrow_i32x4_s local.tee $sum
      local.get $sum i8x16.narrow_i16x8_u v128.store32_lane 0 0
      local.get $firsts i32.const 4 i32.add local.set $firsts
      local.get $counts i32.const 4 i32.add local.set $counts
      local.get $weights local.get $stride i32.add local.set $weights
      local.get $target i32.const 3 i32.add local.tee $target
      local.get $end i32.lt_u br_if 0
    end`,
};

const lanes = ["a", "b", "c", "d"];
const widen = [
  "i16x8.extend_low_i8x16_u i32x4.extend_low_i16x8_u",
  "i16x8.extend_low_i8x16_u i32x4.extend_high_i16x8_u",
  "i16x8.extend_high_i8x16_u i32x4.extend_low_i16x8_u",
  "i16x8.extend_high_i8x16_u i32x4.extend_high_i16x8_u",
];
const shifted = (lane: string): string => `local.get $${lane} i32.const ${precision} i32x4.shr_s`;

// One output row of any samples: a sum over consecutive source rows, sixteen columns at a time.
const column = {
  name: "column",
  parameters: ["source", "target", "end", "weights", "stop", "stride"],
  integers: ["from", "weight"],
  vectors: [...lanes, "samples", "factor"],
  body: `
    loop
      ${lanes.map((lane) => `i32.const ${half} i32x4.splat local.set $${lane}`).join("\n")}
      local.get $source local.set $from
      local.get $weights local.set $weight
      loop
        local.get $from v128.load 0 local.set $samples
        local.get $weight v128.load32_splat 0 local.set $factor
        ${
    lanes.map((lane, i) =>
      `local.get $${lane} local.get $samples ${widen[i]} local.get $factor i32x4.mul i32x4.add local.set $${lane}`
    ).join("\n")
  }
        local.get $from local.get $stride i32.add local.set $from
        local.get $weight i32.const 4 i32.add local.tee $weight
        local.get $stop i32.lt_u br_if 0
      end
      local.get $target
      ${shifted("a")} ${shifted("b")} i16x8.narrow_i32x4_s
      ${shifted("c")} ${shifted("d")} i16x8.narrow_i32x4_s
      i8x16.narrow_i16x8_u v128.store 0
      local.get $source i32.const 16 i32.add local.set $source
      local.get $target i32.const 16 i32.add local.tee $target
      local.get $end i32.lt_u br_if 0
    end`,
};

interface Kernels {
  readonly memory: WebAssembly.Memory;
  row(
    source: number,
    target: number,
    end: number,
    firsts: number,
    counts: number,
    weights: number,
    stride: number,
  ): void;
  column(source: number, target: number, end: number, weights: number, stop: number, stride: number): void;
}

let kernels: Kernels | undefined;

/** The kernels, with a memory of at least `bytes`. */
function withMemory(bytes: number): { kernels: Kernels; memory: Uint8Array } {
  kernels ??= new WebAssembly.Instance(new WebAssembly.Module(assemble([row, column], 1)))
    .exports as unknown as Kernels;
  const missing = Math.ceil((bytes - kernels.memory.buffer.byteLength) / 65536);
  if (missing > 0) kernels.memory.grow(missing);
  return { kernels, memory: new Uint8Array(kernels.memory.buffer) };
}

const partBytes = 1 << 18; // a part of the picture that stays in the cache

function align(bytes: number): number {
  return (bytes + 15) & ~15;
}

function put(memory: Uint8Array, at: number, values: Int32Array): void {
  memory.set(new Uint8Array(values.buffer, values.byteOffset, values.byteLength), at);
}

/**
 * Resample the rows `start` to `end` of an RGB picture to `width` pixels.
 *
 * @param source Samples, shape [height, sourceWidth, 3].
 * @param sourceWidth Pixels per source row.
 * @param taps The taps of each output pixel.
 * @param width Pixels per output row.
 * @returns Samples, shape [end - start, width, 3].
 */
export function resampleRgbRows(
  source: Uint8Array,
  sourceWidth: number,
  taps: Taps,
  width: number,
  start: number,
  end: number,
): Uint8Array {
  const [from, to] = [sourceWidth * 3, width * 3];
  const result = new Uint8Array((end - start) * to);
  const rows = Math.max(1, Math.floor(partBytes / from));
  const counts = align(width * 4);
  const weights = counts + align(width * 4);
  const input = weights + align(taps.weights.byteLength);
  const output = input + align(rows * from + 16);
  const { kernels, memory } = withMemory(output + rows * to + 16);
  put(memory, 0, taps.first.map((pixel) => pixel * 3));
  put(memory, counts, taps.count.map((count) => count * 4));
  put(memory, weights, taps.weights);
  for (let y = start; y < end; y += rows) {
    const n = Math.min(rows, end - y);
    memory.set(source.subarray(y * from, (y + n) * from), input);
    for (let i = 0; i < n; i++) {
      const target = output + i * to;
      kernels.row(input + i * from, target, target + to, 0, counts, weights, taps.size * 4);
    }
    result.set(memory.subarray(output, output + n * to), (y - start) * to);
  }
  return result;
}

/**
 * Resample the columns of a picture of any channels to `height` rows.
 *
 * @param source Samples, shape [sourceHeight, stride].
 * @param stride Samples per row.
 * @param taps The taps of each output row.
 * @param height The number of output rows.
 * @returns Samples, shape [height, stride].
 */
export function resampleColumns(source: Uint8Array, stride: number, taps: Taps, height: number): Uint8Array {
  const sourceHeight = source.length / stride;
  const result = new Uint8Array(height * stride);
  // Upright strips of the picture, a multiple of sixteen samples wide.
  const strip = Math.min(align(stride), Math.max(64, align(Math.floor(partBytes / sourceHeight)) - 16));
  const input = align(taps.weights.byteLength);
  const output = input + sourceHeight * strip;
  const { kernels, memory } = withMemory(output + strip);
  put(memory, 0, taps.weights);
  for (let left = 0; left < stride; left += strip) {
    const width = Math.min(strip, stride - left);
    for (let y = 0; y < sourceHeight; y++) {
      memory.set(source.subarray(y * stride + left, y * stride + left + width), input + y * strip);
    }
    for (let y = 0; y < height; y++) {
      const weights = y * taps.size * 4;
      const first = input + taps.first[y] * strip;
      kernels.column(first, output, output + width, weights, weights + taps.count[y] * 4, strip);
      result.set(memory.subarray(output, output + width), y * stride + left);
    }
  }
  return result;
}
