// How a picture is to be turned, from whatever its file says of it: EXIF first, then XMP, as Pillow reads them.
import { TiffFile } from "../tiff/directory.ts";

/** What a file says of itself. */
export interface Metadata {
  /** The orientation that the file's own header says, if it has a place for one. */
  readonly own?: number;
  /** EXIF, from the TIFF header ("II" or "MM") on, or with "Exif\0\0" before it. */
  readonly exif?: Uint8Array;
  /** XMP, an XML text. */
  readonly xmp?: string;
}

/** The tag of the orientation, in EXIF and in TIFF. */
export const orientationTag = 0x0112;

/** The orientation in EXIF, NaN where it is no whole number; undefined where there is none or the data is malformed. */
function orientationInExif(data: Uint8Array): number | undefined {
  const file = TiffFile.open(String.fromCharCode(...data.subarray(0, 6)) === "Exif\0\0" ? data.subarray(6) : data);
  const directory = file?.directory(file.first);
  return directory?.has(orientationTag) ? directory.values(orientationTag)?.[0] ?? NaN : undefined;
}

/**
 * Read a picture's orientation.
 *
 * @returns 1 to 8; 1 where nothing says it or what does is malformed, as viewers do. XMP counts where EXIF has none.
 */
export function orientationOf({ own, exif, xmp }: Metadata): number {
  const found = own ?? (exif && orientationInExif(exif)) ??
    Number(/tiff:Orientation(?:="|>)([0-9])/.exec(xmp ?? "")?.[1]);
  return found >= 1 && found <= 8 ? found : 1;
}
