// Packing codes and scales of few bits into panels, some panels at a time.
import type { Blocks } from "../../../src/weights/mod.ts";
import { bytesOfOutput, type IndexRange, type PanelBlockLayout, panelWidth } from "./layout.ts";
import { placeInPanel } from "./packing.ts";

/**
 * Pack the codes or the scales of some outputs.
 *
 * @param blocks Of the whole matrix.
 * @param range Outputs that begin a panel of the layout.
 * @param memory Returns bytes to pack into, which are not cleared.
 * @returns Whole panels.
 */
export function packBlocks(
  { kind, shape, encoding }: PanelBlockLayout,
  blocks: Blocks,
  range: IndexRange,
  memory: (bytes: number) => Uint8Array<ArrayBuffer>,
): Uint8Array<ArrayBuffer> {
  const each = bytesOfOutput({ kind, shape, encoding });
  const outputs = Math.ceil((range.to - range.from) / panelWidth) * panelWidth;
  const packed = memory(outputs * each);
  packed.fill(0);
  if (kind === "panel scales") packScales(blocks.scales, each / 4, range, packed);
  else (encoding.bits === 8 ? packBytes : packNibbles)(blocks.codes, each, range, packed);
  return packed;
}

function packScales(scales: Float32Array, count: number, { from, to }: IndexRange, packed: Uint8Array): void {
  const target = new Float32Array(packed.buffer, packed.byteOffset, packed.length / 4);
  for (let n = from; n < to; n++) {
    const at = placeInPanel(n - from, count, 4);
    for (let b = 0; b < count; b++) target[at + b * panelWidth] = scales[n * count + b];
  }
}

function packBytes(codes: Uint8Array, inputs: number, { from, to }: IndexRange, packed: Uint8Array): void {
  for (let n = from; n < to; n++) {
    const at = placeInPanel(n - from, inputs, 16);
    for (let k = 0; k < inputs; k++) packed[at + (k >> 2) * 4 * panelWidth + (k & 3) * 4] = codes[n * inputs + k];
  }
}

/** Two inputs are a byte of an output, and two bytes of a word. */
function packNibbles(codes: Uint8Array, bytes: number, { from, to }: IndexRange, packed: Uint8Array): void {
  for (let n = from; n < to; n++) {
    const [column, shift] = [(n - from) % panelWidth, ((n - from) & 1) * 4];
    const at = (n - from - column) * bytes + (column >> 2) * 16 + ((column & 3) >> 1);
    for (let b = 0; b < bytes; b++) {
      const place = at + (b >> 2) * 4 * panelWidth + (b & 3) * 4;
      const pair = codes[n * bytes + b];
      packed[place] |= (pair & 15) << shift;
      packed[place + 2] |= (pair >> 4) << shift;
    }
  }
}
