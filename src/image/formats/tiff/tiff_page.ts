// A page of a TIFF, as its directory describes it (TIFF 6.0), checked so that the decoder can rely on it.
import type { Directory, TiffFile } from "./directory.ts";
import {
  compressions,
  otherCompressions,
  otherPhotometrics,
  type Photometric,
  photometrics,
  sampleFormats,
  tags,
} from "./_tiff_codes.ts";

/** What is known of a page before it is decoded; plain data, which can be sent to a worker. */
export interface TiffPage {
  /** The offset of its directory in the file. */
  readonly directory: number;
  /** Whether offsets are numbers of 8 bytes (BigTIFF). */
  readonly big: boolean;
  readonly littleEndian: boolean;
  /** TIFF's code of the compression. */
  readonly compression: number;
  readonly photometric: Photometric;
  readonly bits: number;
  readonly format: "uint" | "int" | "float";
  /** Samples per pixel, unused ones included. */
  readonly samples: number;
  /** The meaning of the first sample after the colours. */
  readonly extra: "nothing" | "alpha" | "multiplied alpha";
  /** Whether the samples are stored in planes, one for each sample of a pixel. */
  readonly planes: boolean;
  /** Whether a sample is stored as its difference from that of the pixel on its left. */
  readonly differences: boolean;
  /** TIFF's code of the order of bits in a byte. */
  readonly fillOrder: number;
  /** The size of a tile, or of a strip, which is as wide as the picture. */
  readonly part: { readonly width: number; readonly height: number; readonly tile: boolean };
  /** The offset of each strip or tile, plane by plane, and how many bytes it has. */
  readonly offsets: readonly number[];
  readonly lengths: readonly number[];
  /** The palette: all reds, all greens, all blues, of 16 bits. */
  readonly colors?: readonly number[];
}

/**
 * The most bytes that one compressed byte can stand for; what claims more is refused before a decoder takes its memory. Of
 * Deflate and LZW it is their longest match, of PackBits 128 bytes by two, of JPEG a bit for a block of 64 samples, and four
 * times that of subsampled colours. A row of a fax takes a bit.
 */
function mostExpansion(compression: number, row: number): number {
  const is = (kind: readonly number[]) => kind.includes(compression);
  if (is(compressions.fax)) return 8 * row;
  return is(compressions.lzw) ? 2731 : is(compressions.deflate) ? 1032 : is(compressions.packBits) ? 64 : 2048;
}

/** Throws the error for a page that is not supported. */
type Refuse = (what: string) => never;

/** The bytes of a row of the picture, or of a tile, in a plane. */
export function bytesOfRow(
  width: number,
  { bits, samples, planes }: Pick<TiffPage, "bits" | "samples" | "planes">,
): number {
  return Math.ceil(width * bits * (planes ? 1 : samples) / 8);
}

const knownCompressions: readonly number[] = Object.values(compressions).flat();

/** The most samples per pixel, as in Pillow, and the most pixels of a tile, however small the picture is. */
const mostSamples = 6, mostTilePixels = 2 ** 26;

/** Read the directory of a page; `refuse` is called with what is wrong. */
export function readPage(
  directory: Directory,
  file: TiffFile,
  refuse: Refuse,
): TiffPage & { readonly width: number; readonly height: number } {
  const one = (tag: number, otherwise: number): number => directory.values(tag)?.[0] ?? otherwise;
  const width = one(tags.width, 0), height = one(tags.height, 0);
  if (width === 0 || height === 0) refuse(`its directory says ${width} x ${height}, and both sides must be positive`);
  const compression = one(tags.compression, 1);
  if (!knownCompressions.includes(compression)) {
    const name = otherCompressions[compression];
    refuse(
      `it is compressed by method ${compression}${name ? ` (${name})` : ""}; uncompressed, fax, LZW, JPEG, Deflate ` +
        "and PackBits are read",
    );
  }
  const meaning = readMeaning(directory, compression, refuse);
  const planes = one(tags.planar, 1) === 2 && meaning.samples > 1;
  const predictor = one(tags.predictor, 1);
  if (predictor > 2) refuse(`its samples are predicted by method ${predictor}, and 1 (none) and 2 are read`);
  const page = {
    ...{ width, height, directory: directory.offset, big: file.big, littleEndian: file.littleEndian, compression },
    ...meaning,
    planes,
    differences: predictor === 2 && compressions.none[0] !== compression,
    fillOrder: one(tags.fillOrder, 1),
    colors: meaning.photometric === "palette" ? readColors(directory, meaning.bits, refuse) : undefined,
  };
  return { ...page, ...readParts(directory, page, file.length, refuse) };
}

function readMeaning(directory: Directory, compression: number, refuse: Refuse) {
  const code = compression === 6 ? 6 : directory.values(tags.photometric)?.[0] ?? 0;
  if (!photometrics[code]) {
    const name = otherPhotometrics[code];
    refuse(`its pixels are of kind ${code}${name ? ` (${name})` : ""}; grey, RGB, a palette, CMYK and YCbCr are read`);
  }
  const [photometric, colors] = photometrics[code];
  const samples = directory.values(tags.samples)?.[0] ?? (compression === 6 ? 3 : 1);
  const widths = (directory.values(tags.bits) ?? [1]).slice(0, samples);
  const bits = widths[0] ?? 1;
  const number = directory.values(tags.sampleFormat)?.[0] ?? 1;
  const format = ({ 2: "int", 3: "float" } as const)[number] ?? "uint";
  const kinds = kindsOf(photometric, compression);
  if (number > 3 || !kinds.includes(`${bits}-bit ${format}`) || widths.some((width) => width !== bits)) {
    const expected = kinds.length > 0 ? `expected one of: ${kinds.join(", ")}` : `with compression ${compression}`;
    refuse(`its samples (${photometric}) are ${widths.join(", ")}-bit ${format}, ${expected}`);
  }
  // YCbCr of one sample is grey, as in Pillow.
  const grey = photometric === "ycbcr" && samples === 1;
  if (samples > mostSamples || samples < colors && !grey) {
    refuse(`its pixels are ${photometric} and have ${samples} samples; ${colors} to ${mostSamples} are read`);
  }
  return {
    photometric: grey ? "black" as const : photometric,
    bits,
    format: format as TiffPage["format"],
    samples,
    extra: readExtra(directory, photometric, samples - colors),
  };
}

/** The formats of samples that are supported; with fax compression only bits, with JPEG only bytes. */
function kindsOf(photometric: Photometric, compression: number): string[] {
  const is = (kind: readonly number[]) => kind.includes(compression);
  const only = is(compressions.fax) ? "1-bit" : is(compressions.jpeg) ? "8-bit uint" : "";
  return sampleFormats[photometric].filter((kind) => kind.startsWith(only));
}

function readExtra(directory: Directory, photometric: Photometric, count: number): TiffPage["extra"] {
  const kind = directory.values(tags.extraSamples)?.[0];
  if (count < 1 || photometric === "cmyk") return "nothing";
  // As in Pillow, a fourth sample without a meaning is alpha, and so is 999, which a drawing program wrote for alpha.
  if (kind === undefined) return photometric === "rgb" ? "alpha" : "nothing";
  return kind === 1 ? "multiplied alpha" : kind === 2 || kind === 999 ? "alpha" : "nothing";
}

function readColors(directory: Directory, bits: number, refuse: Refuse): number[] {
  const colors = directory.values(tags.colorMap) ?? [];
  const expected = 3 * 2 ** bits;
  if (colors.length < expected) refuse(`its palette has ${colors.length} numbers, and ${expected} were expected`);
  return colors;
}

/** The fields of a page that are needed to read its strips. */
type PageLayout =
  & Pick<TiffPage, "bits" | "samples" | "planes" | "compression">
  & { readonly width: number; readonly height: number };

/** Read where the strips or tiles are, and check that each lies in the file. */
function readParts(
  directory: Directory,
  page: PageLayout,
  bytes: number,
  refuse: Refuse,
): Pick<TiffPage, "part" | "offsets" | "lengths"> {
  const { width, height, samples, planes } = page;
  const part = readPartSize(directory, page, refuse);
  const kind = part.tile ? "tiles" : "strips";
  const count = Math.ceil(width / part.width) * Math.ceil(height / part.height) * (planes ? samples : 1);
  const offsets = directory.values(part.tile ? tags.tileOffsets : tags.stripOffsets) ?? [];
  const stored = directory.values(part.tile ? tags.tileLengths : tags.stripLengths) ??
    (offsets.length === 1 ? [bytes - offsets[0]] : []);
  const found = Math.min(offsets.length, stored.length);
  if (found < count) refuse(`the places of ${found} ${kind} are known, and ${count} make the picture`);
  const lengths = stored.slice(0, count).map((length, i) => {
    const whole = bytesOfPart(i, part, page);
    const taken = page.compression === compressions.none[0] ? whole : length;
    if (whole > taken * mostExpansion(page.compression, bytesOfRow(part.width, page))) {
      refuse(`one of its ${kind} has ${taken} bytes, too few for its ${whole} of pixels`);
    }
    if (offsets[i] + taken <= bytes) return taken;
    return refuse(`the file ends after ${bytes} bytes, and one of its ${kind} has ${taken} from byte ${offsets[i]} on`);
  });
  return { part, offsets: offsets.slice(0, count), lengths };
}

function readPartSize(directory: Directory, { width, height }: PageLayout, refuse: Refuse): TiffPage["part"] {
  const one = (tag: number, otherwise: number): number => directory.values(tag)?.[0] ?? otherwise;
  if (!directory.has(tags.tileWidth)) {
    const rows = Math.min(one(tags.rowsPerStrip, height), height);
    return rows > 0 ? { width, height: rows, tile: false } : refuse("its strips have no rows");
  }
  const tile = { width: one(tags.tileWidth, 0), height: one(tags.tileHeight, 0), tile: true };
  const pixels = tile.width * tile.height;
  if (pixels > 0 && pixels <= mostTilePixels && tile.width % 16 === 0 && tile.height % 16 === 0) return tile;
  return refuse(`its tiles are of ${tile.width} x ${tile.height}, expected multiples of 16`);
}

/** The bytes of an uncompressed strip or tile, whatever length the file declares; the last strip may have fewer rows. */
function bytesOfPart(i: number, part: TiffPage["part"], { height, bits, samples, planes }: PageLayout): number {
  const down = Math.ceil(height / part.height);
  const isLast = !part.tile && i % down === down - 1;
  const rows = isLast ? height - (down - 1) * part.height : part.height;
  return rows * bytesOfRow(part.width, { bits, samples, planes });
}
