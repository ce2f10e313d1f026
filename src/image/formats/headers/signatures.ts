// Recognises a picture's format by the first bytes of its file.
import type { ImageFormat } from "./image_header.ts";

/** The bytes that a file of each format begins with; undefined stands for any byte. */
const signatures: readonly (readonly [ImageFormat, readonly (number | undefined)[]])[] = [
  ["png", [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]],
  ["jpeg", [0xff, 0xd8, 0xff]],
  ["gif", [0x47, 0x49, 0x46, 0x38, undefined, 0x61]],
  ["webp", [0x52, 0x49, 0x46, 0x46, undefined, undefined, undefined, undefined, 0x57, 0x45, 0x42, 0x50]],
  ["bmp", [0x42, 0x4d]],
  ["tiff", [0x49, 0x49, 42, 0]],
  ["tiff", [0x4d, 0x4d, 0, 42]],
  ["tiff", [0x49, 0x49, 43, 0]], // BigTIFF
  ["tiff", [0x4d, 0x4d, 0, 43]],
  // "P1" to "P6" and white space
  ...[9, 10, 13, 32].flatMap((space) =>
    [1, 2, 3, 4, 5, 6].map((kind) => ["pnm", [0x50, 0x30 + kind, space]] as [ImageFormat, number[]])
  ),
];

/** Whether a file can be read as AVIF, by its brand or by one of those that it declares to be compatible with. */
function isAvif(bytes: Uint8Array): boolean {
  const beginning = String.fromCharCode(...bytes.subarray(0, 256));
  const [, box = ""] = /^\0\0\0(?:.)ftyp(.*)$/s.exec(beginning) ?? [];
  const brands = box.slice(0, bytes[3] - 8).match(/.{4}/gs) ?? [];
  return brands.some((brand, i) => i !== 1 && (brand === "avif" || brand === "avis")); // the second is a version
}

/** The format of a picture by its first bytes; undefined if it is none that is supported. */
export function sniff(bytes: Uint8Array): ImageFormat | undefined {
  if (isAvif(bytes)) return "avif";
  return signatures.find(([, expected]) => expected.every((byte, i) => (byte ?? bytes[i]) === bytes[i]))?.[0];
}
