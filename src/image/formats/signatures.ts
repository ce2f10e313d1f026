// How a picture's format is told: by the first bytes of its file.
import type { ImageFormat } from "./image_header.ts";

/** The bytes that a file of each format begins with; undefined stands for any byte. */
const signatures: readonly (readonly [ImageFormat, readonly (number | undefined)[]])[] = [
  ["png", [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]],
  ["jpeg", [0xff, 0xd8, 0xff]],
  ["gif", [0x47, 0x49, 0x46, 0x38, undefined, 0x61]],
  ["webp", [0x52, 0x49, 0x46, 0x46, undefined, undefined, undefined, undefined, 0x57, 0x45, 0x42, 0x50]],
  ["bmp", [0x42, 0x4d]],
];

/** Tell a picture's format by its first bytes; undefined where it is none that is read. */
export function sniff(bytes: Uint8Array): ImageFormat | undefined {
  return signatures.find(([, expected]) => expected.every((byte, i) => (byte ?? bytes[i]) === bytes[i]))?.[0];
}
