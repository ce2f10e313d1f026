// The pixels of JPEGs of the most common kind, bit for bit as libjpeg-turbo, by kernels in WebAssembly SIMD: there is no
// library of them. What is of another kind, or damaged, is left to libjpeg-turbo's scalar code, which has the last word.
import { assemble } from "./_assemble.ts";
import { copyCoded, decodeBlocks, naturalOrder } from "./_jpeg_entropy.ts";
import { type Frame, readFrame } from "./_jpeg_frame.ts";
import { type JpegLayout, layOut, type Plane, ring } from "./_jpeg_layout.ts";
import { type PixelKernels, pixelKernels } from "./_jpeg_pixels.ts";
import { RawImage } from "./raw_image.ts";

interface Kernels extends PixelKernels {
  readonly memory: WebAssembly.Memory;
  decodeBlocks(blocks: number, end: number, count: number, state: number, order: number): number;
  copyCoded(source: number, target: number, state: number): number;
}

/** The largest file, and the most memory that is kept for the next one, in bytes. */
const most = 2 ** 26;

let module: WebAssembly.Module | undefined;
let kept: Kernels | undefined;

/**
 * Decode a JPEG.
 *
 * @param bytes The whole file, whose segments have been walked over.
 * @returns The picture in RGB, or undefined if the file is not of the most common kind or has a fault.
 */
export function decodeCommonJpeg(bytes: Uint8Array): RawImage | undefined {
  const frame = bytes.length <= most ? readFrame(bytes) : undefined;
  if (!frame) return undefined;
  const layout = layOut(frame, bytes.length);
  const kernels = withMemory(layout.end);
  const memory = new Uint8Array(kernels.memory.buffer);
  memory.set(bytes, layout.source);
  memory.set([0xff, 0xd9], layout.source + bytes.length);
  memory.set(naturalOrder, layout.order);
  for (const [table, at] of layout.tables) new Int32Array(memory.buffer).set(table, at / 4);
  for (const { quantisers, quantisersAt, coefficients, coefficientBytes } of layout.planes) {
    new Int16Array(memory.buffer).set(quantisers, quantisersAt / 2);
    memory.fill(0, coefficients, coefficients + coefficientBytes);
  }
  try {
    return decode(frame, layout, kernels, memory);
  } catch (error) {
    if (error instanceof WebAssembly.RuntimeError) return undefined; // damaged bytes led out of the memory
    throw error;
  }
}

function withMemory(bytes: number): Kernels {
  module ??= new WebAssembly.Module(assemble([...pixelKernels, decodeBlocks, copyCoded], 1));
  const kernels = kept ?? new WebAssembly.Instance(module).exports as unknown as Kernels;
  const missing = Math.ceil((bytes - kernels.memory.buffer.byteLength) / 65536);
  if (missing > 0) kernels.memory.grow(missing);
  kept = kernels.memory.buffer.byteLength <= most ? kernels : undefined;
  return kernels;
}

function decode(frame: Frame, layout: JpegLayout, kernels: Kernels, memory: Uint8Array): RawImage | undefined {
  const { width, height } = frame;
  const { planes, mcuHeight, output } = layout;
  const data = new Uint8Array(width * height * 3);
  const coded = new CodedBlocks(frame, layout, kernels, memory);
  const rows = Math.ceil(height / mcuHeight);
  for (let row = 0; row <= rows; row++) {
    if (row < rows) {
      if (!coded.decodeRow(row === rows - 1)) return undefined;
      for (const plane of planes) transformRow(kernels, memory, plane, row);
    }
    if (row === 0) continue;
    // The row before has its neighbours now.
    const top = (row - 1) * mcuHeight;
    const count = Math.min(mcuHeight, height - top);
    for (let y = 0; y < count; y++) putRow(kernels, planes, top + y, output + y * width * 3, width);
    data.set(memory.subarray(output, output + count * width * 3), top * width * 3);
  }
  return new RawImage(data, width, height, 3);
}

/** A scan's coded bytes, restart interval after restart interval. */
class CodedBlocks {
  readonly #words: Int32Array;
  readonly #interval: number;
  #source: number;
  #end = 0;
  #started = 0;
  /** MCUs that are left of the restart interval. */
  #left = 0;

  constructor(
    frame: Frame,
    readonly layout: JpegLayout,
    readonly kernels: Kernels,
    readonly memory: Uint8Array,
  ) {
    this.#words = new Int32Array(memory.buffer);
    this.#source = layout.source + frame.start;
    this.#interval = frame.restartInterval || Infinity;
  }

  /** Decode a row of MCUs; false if there is a fault. */
  decodeRow(last: boolean): boolean {
    const { blocks, fields, state, order, mcusWide } = this.layout;
    this.#words.set(fields, blocks / 4);
    for (let x = 0; x < mcusWide;) {
      if (this.#left === 0 && !this.#start()) return false;
      const count = Math.min(this.#left, mcusWide - x);
      if (this.kernels.decodeBlocks(blocks, blocks + fields.length * 4, count, state, order)) return false;
      x += count;
      this.#left -= count;
    }
    return this.#bitsUsed() <= this.#end * 8 && (!last || this.#atMarker(0xd9));
  }

  #bitsUsed(): number {
    return this.#words[this.layout.state / 4] * 8 - this.#words[this.layout.state / 4 + 1];
  }

  /** Whether the interval's bits are used up, and `marker` follows. */
  #atMarker(marker: number): boolean {
    return Math.ceil(this.#bitsUsed() / 8) === this.#end && this.memory[this.#source - 1] === marker;
  }

  #start(): boolean {
    if (this.#started > 0 && !this.#atMarker(0xd0 + (this.#started - 1) % 8)) return false;
    const { state, coded, predictors } = this.layout;
    this.#end = this.kernels.copyCoded(this.#source, coded, state);
    this.#source = this.#words[state / 4] + 1;
    this.#words.set([coded, 0, 0, 0], state / 4);
    this.#words.set([0, 0, 0], predictors / 4);
    this.#started++;
    this.#left = this.#interval;
    return true;
  }
}

/** The address of a row of samples. */
function rowAt({ samples, stride, down }: Plane, y: number): number {
  return samples + y % (ring * 8 * down) * stride;
}

/** From coefficients, which become zero again, to a row of MCUs' samples, whose ends are repeated beside the picture. */
function transformRow(kernels: Kernels, memory: Uint8Array, plane: Plane, row: number): void {
  const { down, blocksWide, coefficients, quantisersAt, stride, width } = plane;
  for (let v = 0; v < down; v++) {
    const from = coefficients + v * blocksWide * 128;
    const y = (row * down + v) * 8;
    kernels.inverseTransform(from, quantisersAt, rowAt(plane, y), stride, from + blocksWide * 128);
    for (let i = 0; i < 8; i++) {
      const at = rowAt(plane, y + i);
      memory[at - 1] = memory[at];
      memory[at + width] = memory[at + width - 1];
    }
  }
}

/** Put a row of pixels together. */
function putRow(kernels: Kernels, [luma, blue, red]: readonly Plane[], y: number, target: number, width: number): void {
  const [across, down] = [luma.across, luma.down];
  const rows = [blue, red].map((plane) => {
    const at = Math.floor(y / down);
    const near = rowAt(plane, at);
    if (across === 1) return near;
    if (down === 1) kernels.doubleWidth(near, plane.spread, near + plane.width);
    else {
      // The row on the other side of this one; at the picture's edge there is none but the near one.
      const beyond = Math.max(0, Math.min(plane.height - 1, at + (y % 2 === 0 ? -1 : 1)));
      kernels.doubleBoth(near, rowAt(plane, beyond), plane.spread, near + plane.width);
    }
    return plane.spread;
  });
  kernels.toRgb(rowAt(luma, y), rows[0], rows[1], target, target + width * 3);
}
