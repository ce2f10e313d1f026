// How tiles are arranged on a sheet: each of a size that is easy to read, smaller if there are many of them.

/** A sheet of tiles, in pixels. A tile is a picture with a label under it. */
export interface Layout {
  readonly columns: number;
  /** The picture of a tile. */
  readonly tile: { readonly width: number; readonly height: number };
  readonly label: { readonly height: number; readonly fontSize: number };
  readonly gap: number;
  readonly width: number;
  readonly height: number;
}

/** The most pixels of one tile's picture, and of the pictures of all tiles together. */
const tilePixels = 36_000;
const allPixels = 12e6;

/** The least and the most that the sides of a tile's picture may be, in pixels. */
const sides = { width: [72, 560], height: [32, 360] } as const;

/** The aspect ratio of a sheet for which the number of columns is chosen. */
const sheetAspect = 1.4;

const clamp = (value: number, [least, most]: readonly [number, number]) =>
  Math.round(Math.min(most, Math.max(least, value)));

/**
 * Lay out tiles.
 *
 * @param count How many.
 * @param picture The picture whose shape they have; one that is extremely wide or high is stretched.
 */
export function layOut(count: number, picture: { readonly width: number; readonly height: number }): Layout {
  const aspect = picture.width / picture.height;
  const pixels = Math.min(tilePixels, allPixels / count);
  // If one side is limited, the other is shortened in proportion.
  const width = Math.min(Math.sqrt(pixels * aspect), sides.width[1], sides.height[1] * aspect);
  const tile = { width: clamp(width, sides.width), height: clamp(width / aspect, sides.height) };
  const fontSize = clamp(tile.height / 3, [15, 18]);
  const label = { fontSize, height: Math.round(1.6 * fontSize) };
  const gap = 12;
  const [across, down] = [tile.width + gap, tile.height + label.height + gap];
  let columns = 1;
  while (columns < count && (columns + 1) * across <= sheetAspect * Math.ceil(count / (columns + 1)) * down + across) {
    columns++;
  }
  const rows = Math.ceil(count / columns);
  return { columns, tile, label, gap, width: columns * across + gap, height: rows * down + gap };
}
