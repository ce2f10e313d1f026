// From a PNG's inflated bytes to rows of samples: filters undone and interlaced passes put in their places (PNG
// specification, third edition, sections 8 and 9).
import { DecodeError } from "../decode_error.ts";

/** A pass of Adam7, or the whole picture: its first pixel and its steps. */
interface Pass {
  readonly x: number;
  readonly y: number;
  readonly stepX: number;
  readonly stepY: number;
}

const whole: readonly Pass[] = [{ x: 0, y: 0, stepX: 1, stepY: 1 }];
const adam7: readonly Pass[] = [
  { x: 0, y: 0, stepX: 8, stepY: 8 },
  { x: 4, y: 0, stepX: 8, stepY: 8 },
  { x: 0, y: 4, stepX: 4, stepY: 8 },
  { x: 2, y: 0, stepX: 4, stepY: 4 },
  { x: 0, y: 2, stepX: 2, stepY: 4 },
  { x: 1, y: 0, stepX: 2, stepY: 2 },
  { x: 0, y: 1, stepX: 1, stepY: 2 },
];

/** How samples lie in a PNG. */
export interface Samples {
  readonly width: number;
  readonly height: number;
  readonly bitsPerPixel: number;
  readonly interlaced: boolean;
}

/** A row of pixels: its bytes, unfiltered, and where they go. */
export type RowVisitor = (row: Uint8Array, pixels: number, y: number, x: number, stepX: number) => void;

/** The passes that have pixels, with their sizes. */
function passes({ width, height, bitsPerPixel, interlaced }: Samples) {
  return (interlaced ? adam7 : whole).map((pass) => {
    const columns = Math.ceil((width - pass.x) / pass.stepX);
    const rows = Math.ceil((height - pass.y) / pass.stepY);
    return { ...pass, columns, rows, bytes: Math.ceil(columns * bitsPerPixel / 8) };
  }).filter(({ columns, rows }) => columns > 0 && rows > 0);
}

/** How many bytes a picture's inflated data has: each row begins with the number of its filter. */
export function inflatedSize(samples: Samples): number {
  return passes(samples).reduce((sum, { rows, bytes }) => sum + rows * (1 + bytes), 0);
}

/**
 * Undo the filters of all rows, in place, and visit them.
 *
 * @param data The inflated data.
 * @throws {DecodeError} If a row's filter does not exist.
 */
export function visitRows(data: Uint8Array, samples: Samples, visit: RowVisitor): void {
  const distance = Math.max(1, samples.bitsPerPixel >> 3); // to the same sample of the pixel before
  let at = 0;
  for (const { columns, rows, bytes, x, y, stepX, stepY } of passes(samples)) {
    let above: Uint8Array = new Uint8Array(bytes);
    for (let row = 0; row < rows; row++, at += 1 + bytes) {
      const line = data.subarray(at + 1, at + 1 + bytes);
      unfilter(data[at], line, above, distance);
      visit(line, columns, y + row * stepY, x, stepX);
      above = line;
    }
  }
}

function unfilter(filter: number, line: Uint8Array, above: Uint8Array, distance: number): void {
  const { length } = line;
  if (filter === 0) return;
  if (filter === 1) { for (let i = distance; i < length; i++) line[i] += line[i - distance]; }
  else if (filter === 2) { for (let i = 0; i < length; i++) line[i] += above[i]; }
  else if (filter === 3) {
    for (let i = 0; i < distance && i < length; i++) line[i] += above[i] >> 1;
    for (let i = distance; i < length; i++) line[i] += (line[i - distance] + above[i]) >> 1;
  } else if (filter === 4) {
    for (let i = 0; i < distance && i < length; i++) line[i] += above[i];
    for (let i = distance; i < length; i++) {
      const a = line[i - distance], b = above[i], c = above[i - distance];
      const pa = Math.abs(b - c), pb = Math.abs(a - c), pc = Math.abs(a + b - 2 * c);
      line[i] += pa <= pb && pa <= pc ? a : pb <= pc ? b : c;
    }
  } else throw new DecodeError(`a row has filter ${filter}, which does not exist`);
}
