// Inflating an entry of a zip archive and checking what comes out, on whatever thread.
import { crc32, inflateRawSync } from "node:zlib";

/** An entry's bytes as they are packed, and what the archive's directory says of those that come out. */
export interface Packed {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly size: number;
  /** Their CRC-32; 0 where the archive has none. */
  readonly crc: number;
}

/** The bytes that came out, or why they are not what the directory says. */
export type Inflated = { readonly bytes: Uint8Array<ArrayBuffer> } | { readonly fault: string };

/** The function takes lengths of 32 bits. */
const pieceBytes = 1 << 28;

/** Buffers of so many bytes are made by themselves. */
const unsharedBytes = 1 << 16;

/** Inflate an entry; never throws. */
export function inflate({ bytes, size, crc }: Packed): Inflated {
  let whole: Uint8Array;
  try {
    // In one piece where it can be, which saves joining many; of a small one Node's zlib would share the buffer.
    const chunkSize = Math.min(Math.max(size, unsharedBytes), pieceBytes);
    whole = inflateRawSync(bytes, { maxOutputLength: size + 1, chunkSize });
  } catch (error) {
    return { fault: `cannot be inflated: ${(error as Error).message}` };
  }
  if (whole.length !== size) return { fault: `does not inflate to ${size} bytes` };
  const fault = crcFault(whole, crc);
  return fault ? { fault } : { bytes: ownBytes(whole) };
}

/** What is wrong with bytes of another CRC-32 than `expected`, for a message; nothing if that is 0. */
export function crcFault(bytes: Uint8Array, expected: number): string | undefined {
  if (expected === 0) return undefined;
  let crc = 0;
  for (let at = 0; at < bytes.length; at += pieceBytes) crc = crc32(bytes.subarray(at, at + pieceBytes), crc);
  const hex = (value: number) => value.toString(16).padStart(8, "0");
  return crc === expected ? undefined : `has bytes of the CRC-32 ${hex(crc)}, expected ${hex(expected)}`;
}

/** Bytes that are all of their buffer. */
function ownBytes(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const { buffer, byteOffset, length } = bytes;
  const own = buffer instanceof ArrayBuffer && byteOffset === 0 && buffer.byteLength === length;
  return own ? new Uint8Array(buffer) : bytes.slice() as Uint8Array<ArrayBuffer>;
}
