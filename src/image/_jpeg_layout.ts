// Where a JPEG's parts lie in the memory of the kernels that decode it.
import { blockFields, naturalOrder, readerBytes, tableBytes } from "./_jpeg_entropy.ts";
import type { Component, Frame } from "./_jpeg_frame.ts";

/** Rows of MCUs that are held as samples: one is decoded while the one before, with its neighbours, becomes pixels. */
export const ring = 4;

/** Bytes beside each part that the kernels may touch. */
const margin = 32;

/** A component's coefficients (of one row of MCUs) and samples; all that is not said is an address. */
export interface Plane extends Component {
  /** Samples that belong to the picture. */
  readonly width: number;
  readonly height: number;
  readonly blocksWide: number;
  readonly coefficients: number;
  readonly coefficientBytes: number;
  readonly quantisersAt: number;
  readonly samples: number;
  /** Bytes from row to row. */
  readonly stride: number;
  /** A row of the picture's width. */
  readonly spread: number;
}

/** The addresses of all parts, in bytes. */
export interface JpegLayout {
  readonly planes: readonly Plane[];
  readonly mcusWide: number;
  /** Pixels. */
  readonly mcuHeight: number;
  readonly tables: ReadonlyMap<Int32Array, number>;
  readonly blocks: number;
  /** What `blocks` holds when a row of MCUs begins. */
  readonly fields: readonly number[];
  readonly predictors: number;
  readonly state: number;
  readonly order: number;
  /** A row of MCUs as pixels. */
  readonly output: number;
  readonly source: number;
  readonly coded: number;
  /** The bytes of all. */
  readonly end: number;
}

/** Lay out what decoding a file of `fileBytes` needs. */
export function layOut(frame: Frame, fileBytes: number): JpegLayout {
  const { width, height, components } = frame;
  let end = margin;
  const take = (bytes: number): number => {
    const at = end;
    end += Math.ceil((bytes + margin) / 16) * 16;
    return at;
  };
  const [luma] = components;
  const mcusWide = Math.ceil(width / (8 * luma.across));
  const tables = new Map(components.flatMap(({ dc, ac }) => [dc, ac]).map((table) => [table, 0]));
  for (const table of tables.keys()) tables.set(table, take(tableBytes));
  const planes = components.map((component): Plane => {
    const { across, down } = component;
    const blocksWide = mcusWide * across;
    const stride = blocksWide * 8 + margin;
    return {
      ...component,
      width: Math.ceil(width * across / luma.across),
      height: Math.ceil(height * down / luma.down),
      blocksWide,
      coefficients: take(blocksWide * down * 128),
      coefficientBytes: blocksWide * down * 128,
      quantisersAt: take(128),
      samples: take(stride * ring * 8 * down),
      stride,
      spread: take(mcusWide * luma.across * 8),
    };
  });
  const predictors = take(12);
  const fields = planes.flatMap(({ across, down, blocksWide, coefficients, dc, ac }, i) =>
    Array.from({ length: across * down }, (_, n) => {
      const first = coefficients + (Math.floor(n / across) * blocksWide + n % across) * 128;
      return [first, across * 128, tables.get(dc)!, tables.get(ac)!, predictors + 4 * i];
    }).flat()
  );
  return {
    planes,
    mcusWide,
    mcuHeight: 8 * luma.down,
    tables,
    fields,
    predictors,
    blocks: take(6 * blockFields * 4),
    state: take(readerBytes),
    order: take(naturalOrder.length),
    output: take(8 * luma.down * width * 3),
    source: take(fileBytes + 2),
    coded: take(fileBytes + 2),
    get end() {
      return end;
    },
  };
}
