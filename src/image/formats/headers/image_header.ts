// What is known of a picture before it is decoded, and what decodes it.
import type { RawImage } from "../../raw_image.ts";
import type { TiffPage } from "../tiff/tiff_page.ts";

/** The picture formats that are read. */
export type ImageFormat = "png" | "jpeg" | "gif" | "webp" | "bmp" | "tiff" | "avif" | "pnm";

/** What a picture's header says. */
export interface ImageHeader {
  readonly format: ImageFormat;
  /** Pixels a row, as stored. */
  readonly width: number;
  /** Rows, as stored. */
  readonly height: number;
  /** The EXIF orientation, 1 to 8. */
  readonly orientation: number;
  /** How the samples are stored. */
  readonly color: "grey" | "rgb" | "palette" | "cmyk" | "ycck";
  /** Whether some places may be transparent. */
  readonly alpha: boolean;
  /** Bits a sample; of a BMP, bits a pixel. */
  readonly bits: number;
  /** The highest values that red, green and blue are stored with in a BMP of 16 bits. */
  readonly levels?: readonly [red: number, green: number, blue: number];
  /** Of a TIFF, the page. */
  readonly tiff?: TiffPage;
  /** Of a PNM, where its samples are and what they mean. */
  readonly pnm?: PnmSamples;
}

/** What a PNM's samples are, beside its size. */
export interface PnmSamples {
  /** Whether they are written in digits. */
  readonly text: boolean;
  /** The level of white; of bits, which say black, undefined. */
  readonly most?: number;
  /** Where they begin in the file. */
  readonly start: number;
}

/** What is made of a picture whose pixels are there only until it returns. */
export type ImageUse = (image: RawImage) => RawImage;

/** Turns a whole file, whose header has been read, into pixels, or what `use` makes of them without a copy. */
export type Decoder = (bytes: Uint8Array, header: ImageHeader, use?: ImageUse) => Promise<RawImage>;
