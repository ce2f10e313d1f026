// How a picture is to be turned, from whatever its file says of it: EXIF first, then XMP, as Pillow reads them.

/** What a file says of itself. */
export interface Metadata {
  /** EXIF, from the TIFF header ("II" or "MM") on, or with "Exif\0\0" before it. */
  readonly exif?: Uint8Array;
  /** XMP, an XML text. */
  readonly xmp?: string;
}

/** The types of whole numbers in EXIF: short and long, without and with a sign. */
const shorts = [3, 8], longs = [4, 9];

/** The orientation in EXIF, NaN where it is no whole number; undefined where there is none or the data is malformed. */
function orientationInExif(data: Uint8Array): number | undefined {
  const bytes = String.fromCharCode(...data.subarray(0, 6)) === "Exif\0\0" ? data.subarray(6) : data;
  if (bytes.length < 8) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const order = view.getUint16(0);
  if (order !== 0x4949 && order !== 0x4d4d) return undefined;
  const little = order === 0x4949;
  if (view.getUint16(2, little) !== 42) return undefined;
  const directory = view.getUint32(4, little);
  if (directory + 2 > bytes.length) return undefined;
  const entries = view.getUint16(directory, little);
  for (let i = 0, at = directory + 2; i < entries && at + 12 <= bytes.length; i++, at += 12) {
    if (view.getUint16(at, little) !== 0x0112) continue;
    const type = view.getUint16(at + 2, little);
    if (shorts.includes(type)) return view.getUint16(at + 8, little);
    return longs.includes(type) ? view.getUint32(at + 8, little) : NaN;
  }
  return undefined;
}

/**
 * Read a picture's orientation.
 *
 * @returns 1 to 8; 1 where nothing says it or what does is malformed, as viewers do. XMP counts where EXIF has none.
 */
export function orientationOf({ exif, xmp }: Metadata): number {
  const found = (exif && orientationInExif(exif)) ?? Number(/tiff:Orientation(?:="|>)([0-9])/.exec(xmp ?? "")?.[1]);
  return found >= 1 && found <= 8 ? found : 1;
}
