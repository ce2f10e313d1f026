// A frame's components in the kernels' memory: coefficients become samples here, and samples rows of the picture's width.
import type { Frame } from "./frame.ts";
import { type JpegKernels, jpegKernels } from "./kernels.ts";
import type { Component } from "./scan.ts";
import { DecodeError } from "../decode_error.ts";

/** Bytes beside a row that the kernels may touch. */
const margin = 16;

interface Plane {
  readonly component: Component;
  /** The address of the first sample, and the bytes from row to row. */
  readonly at: number;
  readonly stride: number;
  readonly coefficientsAt: number;
  readonly quantiserAt: number;
  /** A row of the picture's width, for samples that are spread. */
  readonly scratchAt: number;
  quantised: boolean;
}

function align(bytes: number): number {
  return (bytes + 15) & ~15;
}

/** The samples of a frame's components. */
export class Planes {
  readonly kernels: JpegKernels;
  readonly memory: Uint8Array;
  /** The address of `outputBytes` free bytes. */
  readonly outputAt: number;
  readonly #planes: readonly Plane[];

  /**
   * @param frame The frame; its components get their coefficients' place.
   * @param streaming Whether only one row of MCUs is held as coefficients.
   * @param outputBytes Free bytes to keep for rows that are put together.
   */
  constructor(readonly frame: Frame, readonly streaming: boolean, outputBytes: number) {
    let end = margin;
    const take = (bytes: number): number => {
      const at = end;
      end += align(bytes) + margin;
      return at;
    };
    this.#planes = frame.components.map((component) => {
      const stride = align(component.blocksWide * 8 + 2 * margin);
      component.rowsHeld = streaming ? component.vertical : component.blocksHigh;
      return {
        component,
        stride,
        at: take(stride * component.blocksHigh * 8) + margin,
        coefficientsAt: take(component.rowsHeld * component.blocksWide * 128),
        quantiserAt: take(128),
        scratchAt: take(frame.mcusWide * frame.horizontal * 8 + 2 * margin),
        quantised: false,
      };
    });
    this.outputAt = take(outputBytes);
    this.kernels = jpegKernels(end);
    this.memory = new Uint8Array(this.kernels.memory.buffer);
    for (const { component, coefficientsAt } of this.#planes) {
      const length = component.rowsHeld * component.blocksWide * 64;
      component.coefficients = new Int16Array(this.memory.buffer, coefficientsAt, length);
      component.last = new Uint8Array(frame.progressive ? length / 64 : 0);
    }
  }

  /** Keep the quantisers that stand when a component's first scan comes. */
  quantise(components: readonly Component[], tables: readonly (Int16Array | undefined)[]): void {
    for (const plane of this.#planes) {
      if (plane.quantised || !components.includes(plane.component)) continue;
      const table = tables[plane.component.quantiser];
      if (!table) throw new DecodeError(`quantisation table ${plane.component.quantiser} is missing`);
      new Int16Array(this.memory.buffer, plane.quantiserAt, 64).set(table);
      plane.quantised = true;
    }
  }

  /** Turn a row of MCUs from coefficients to samples. */
  transformRow(row: number): void {
    for (const { component, at, stride, coefficientsAt, quantiserAt } of this.#planes) {
      const bytes = component.blocksWide * 128;
      for (let v = 0; v < component.vertical; v++) {
        const y = row * component.vertical + v;
        const from = coefficientsAt + (y % component.rowsHeld) * bytes;
        this.kernels.inverseTransform(from, quantiserAt, at + y * 8 * stride, stride, from + bytes);
      }
      if (this.streaming) component.coefficients.fill(0);
    }
  }

  /** Make the samples beside each row those at its ends, for what spreads them. */
  closeRows(): void {
    const { memory } = this;
    for (const { component: { width, height }, at, stride } of this.#planes) {
      for (let y = 0, row = at; y < height; y++, row += stride) {
        memory[row - 1] = memory[row];
        memory[row + width] = memory[row + width - 1];
      }
    }
  }

  /**
   * A row of a component at the picture's width.
   *
   * @param index The component.
   * @param y The picture's row.
   * @returns Its address, good until the component's next row.
   */
  row(index: number, y: number): number {
    const plane = this.#planes[index];
    const { component, at, stride, scratchAt } = plane;
    const [across, down] = [this.frame.horizontal / component.horizontal, this.frame.vertical / component.vertical];
    const near = at + Math.floor(y / down) * stride;
    if (across === 1 && down === 1) return near;
    // The row on the other side of the output row; at the picture's edge there is none but the near one.
    const beyond = Math.floor(y / down) + (y % 2 === 0 ? -1 : 1);
    const far = at + Math.max(0, Math.min(component.height - 1, beyond)) * stride;
    // libjpeg-turbo spreads these three ratios smoothly, the others by repeating.
    if (across === 2 && component.width > 2 && down === 1) {
      this.kernels.doubleWidth(near, scratchAt, near + component.width);
    } else if (across === 2 && component.width > 2 && down === 2) {
      this.kernels.doubleBoth(near, far, scratchAt, near + component.width);
    } else if (across === 1 && down === 2) this.#mix(near, far, scratchAt, component.width, y % 2 === 0 ? 1 : 2);
    else this.#repeat(near, scratchAt, across);
    return scratchAt;
  }

  #mix(near: number, far: number, target: number, width: number, bias: number): void {
    const { memory } = this;
    for (let x = 0; x < width; x++) memory[target + x] = (3 * memory[near + x] + memory[far + x] + bias) >> 2;
  }

  #repeat(source: number, target: number, across: number): void {
    if (!Number.isInteger(across)) {
      throw new DecodeError("its components' sampling factors are no multiples of each other");
    }
    const { memory, frame: { width } } = this;
    for (let x = 0; x < width; x++) memory[target + x] = memory[source + Math.floor(x / across)];
  }
}
