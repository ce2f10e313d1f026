// TIFF's codes (TIFF 6.0 and its supplements) for tags, compressions and photometric interpretations; also those that are not
// supported, so that messages can name them.

/** What the samples of a pixel mean (PhotometricInterpretation). */
export type Photometric = "white" | "black" | "rgb" | "palette" | "cmyk" | "ycbcr";

/** The tags of a page. */
export const tags = {
  width: 256,
  height: 257,
  bits: 258,
  compression: 259,
  photometric: 262,
  fillOrder: 266,
  stripOffsets: 273,
  samples: 277,
  rowsPerStrip: 278,
  stripLengths: 279,
  planar: 284,
  predictor: 317,
  colorMap: 320,
  tileWidth: 322,
  tileHeight: 323,
  tileOffsets: 324,
  tileLengths: 325,
  extraSamples: 338,
  sampleFormat: 339,
};

/** TIFF's codes of the compressions that are supported. */
export const compressions = {
  none: [1],
  fax: [2, 3, 4],
  lzw: [5],
  jpeg: [6, 7],
  deflate: [8, 32946],
  packBits: [32773],
} as const;

/** The names of compressions that are not supported, by TIFF's codes. */
export const otherCompressions: Readonly<Record<number, string>> = {
  9: "JBIG",
  10: "JBIG",
  34676: "LogLuv",
  34712: "JPEG 2000",
  34887: "LERC",
  34925: "LZMA",
  50000: "Zstandard",
  50001: "WebP",
  50002: "JPEG XL",
};

/** Photometric interpretations and how many samples the colours of a pixel have, by TIFF's codes. */
export const photometrics: Readonly<Record<number, readonly [Photometric, colors: number]>> = {
  0: ["white", 1],
  1: ["black", 1],
  2: ["rgb", 3],
  3: ["palette", 1],
  5: ["cmyk", 4],
  6: ["ycbcr", 3],
};

/** The names of photometric interpretations that are not supported, by TIFF's codes. */
export const otherPhotometrics: Readonly<Record<number, string>> = {
  4: "a mask",
  8: "CIE L*a*b*",
  9: "CIE L*a*b*",
  10: "CIE L*a*b*",
  32803: "a camera's raw data",
  34892: "a camera's raw data",
};

/** The formats of samples that are supported, by the photometric interpretation. */
export const sampleFormats: Readonly<Record<Photometric, readonly string[]>> = {
  white: ["1-bit uint", "2-bit uint", "4-bit uint", "8-bit uint", "16-bit uint", "32-bit float"],
  black: [
    "1-bit uint",
    "2-bit uint",
    "4-bit uint",
    "8-bit uint",
    "8-bit int",
    "16-bit uint",
    "16-bit int",
    "32-bit uint",
    "32-bit int",
    "32-bit float",
  ],
  rgb: ["8-bit uint", "16-bit uint"],
  palette: ["1-bit uint", "2-bit uint", "4-bit uint", "8-bit uint"],
  cmyk: ["8-bit uint", "16-bit uint"],
  ycbcr: ["8-bit uint"],
};
