// A picture's orientation, from the metadata of its file: EXIF first, then XMP, as Pillow reads them.
import { TiffFile } from "../tiff/directory.ts";

/** A file's metadata that can contain an orientation. */
export interface Metadata {
  /** The orientation in the file's own header, for formats that have one there. */
  readonly own?: number;
  /** EXIF, beginning with the TIFF header ("II" or "MM"), or with "Exif\0\0" and that. */
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
 * @returns 1 to 8; 1 if there is none or it is malformed, as viewers do. XMP is used only if EXIF has none.
 */
export function orientationOf({ own, exif, xmp }: Metadata): number {
  const found = own ?? (exif && orientationInExif(exif)) ??
    Number(/tiff:Orientation(?:="|>)([0-9])/.exec(xmp ?? "")?.[1]);
  return found >= 1 && found <= 8 ? found : 1;
}
