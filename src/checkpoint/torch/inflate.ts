// Inflating an entry of a zip archive and checking the result; it runs on the main thread or in a worker.
import { crc32, inflateRawSync } from "node:zlib";

/** An entry's compressed bytes, and the size and checksum that the archive's directory gives for the inflated ones. */
export interface CompressedEntry {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly size: number;
  /** The CRC-32 of the inflated bytes; 0 where the archive has none. */
  readonly crc: number;
}

/** The inflated bytes, or why they are not those that the directory describes. */
export type Inflated = { readonly bytes: Uint8Array<ArrayBuffer> } | { readonly fault: string };

/** Bytes per call of Node's zlib functions, which take lengths of 32 bits. */
const pieceBytes = 1 << 28;

/** Node's zlib gives a chunk of this many bytes a buffer of its own; smaller ones share one. */
const unsharedBytes = 1 << 16;

/** Inflate an entry; never throws. */
export function inflate({ bytes, size, crc }: CompressedEntry): Inflated {
  let whole: Uint8Array;
  try {
    // One chunk for the whole, where possible, saves joining many.
    const chunkSize = Math.min(Math.max(size, unsharedBytes), pieceBytes);
    whole = inflateRawSync(bytes, { maxOutputLength: size + 1, chunkSize });
  } catch (error) {
    return { fault: `cannot be inflated: ${(error as Error).message}` };
  }
  if (whole.length !== size) return { fault: `does not inflate to ${size} bytes` };
  const fault = crcFault(whole, crc);
  return fault ? { fault } : { bytes: ownBytes(whole) };
}

/** A clause for a message if the CRC-32 of bytes is not `expected`; undefined if it is, or if `expected` is 0. */
export function crcFault(bytes: Uint8Array, expected: number): string | undefined {
  if (expected === 0) return undefined;
  let crc = 0;
  for (let at = 0; at < bytes.length; at += pieceBytes) crc = crc32(bytes.subarray(at, at + pieceBytes), crc);
  const hex = (value: number) => value.toString(16).padStart(8, "0");
  return crc === expected ? undefined : `has bytes of the CRC-32 ${hex(crc)}, expected ${hex(expected)}`;
}

/** The same bytes as the only content of their buffer, copied if they are not. */
function ownBytes(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const { buffer, byteOffset, length } = bytes;
  const own = buffer instanceof ArrayBuffer && byteOffset === 0 && buffer.byteLength === length;
  return own ? new Uint8Array(buffer) : bytes.slice() as Uint8Array<ArrayBuffer>;
}
