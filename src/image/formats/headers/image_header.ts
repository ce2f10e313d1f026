// What a picture's header holds, and the type of its decoder.
import type { RawImage } from "../../raw_image.ts";
import type { TiffPage } from "../tiff/tiff_page.ts";

/** The picture formats that are read. */
export type ImageFormat = "png" | "jpeg" | "gif" | "webp" | "bmp" | "tiff" | "avif" | "pnm";

/** The fields of a picture's header that are used. */
export interface ImageHeader {
  readonly format: ImageFormat;
  /** Pixels per row, as stored. */
  readonly width: number;
  /** Rows, as stored. */
  readonly height: number;
  /** The EXIF orientation, 1 to 8. */
  readonly orientation: number;
  /** How the samples are stored. */
  readonly color: "grey" | "rgb" | "palette" | "cmyk" | "ycck";
  /** Whether pixels may be transparent. */
  readonly alpha: boolean;
  /** Bits per sample; in a BMP, bits per pixel. */
  readonly bits: number;
  /** The highest values that red, green and blue are stored with in a BMP of 16 bits. */
  readonly levels?: readonly [red: number, green: number, blue: number];
  /** The page, in a TIFF. */
  readonly tiff?: TiffPage;
  /** Where the samples of a PNM are, and what they mean. */
  readonly pnm?: PnmSamples;
}

/** The samples of a PNM. */
export interface PnmSamples {
  /** Whether they are written in digits. */
  readonly text: boolean;
  /** The level of white; undefined in a PBM, whose bits are 1 for black. */
  readonly most?: number;
  /** Where they begin in the file. */
  readonly start: number;
}

/** Makes another picture of a decoded one, whose pixels are valid only until it returns. */
export type ImageTransform = (image: RawImage) => RawImage;

/** Decodes a whole file, whose header has been read; returns the pixels, or what `transform` makes of them without a copy. */
export type Decoder = (bytes: Uint8Array, header: ImageHeader, transform?: ImageTransform) => Promise<RawImage>;
