// Encoding a tensor of any floating-point type, or float32 of a file; it runs on the main thread or in a worker.
import { FormatError } from "../errors/mod.ts";
import { type DataType, toFloat32, type TypedArray } from "../tensor/mod.ts";
import type { ReadNumbers } from "./_encode_kernel.ts";
import type { BlockEncoding, Blocks } from "./block_encoding.ts";
import { encodeBlocks } from "./encode_blocks.ts";

/** A matrix and how to encode it. */
export interface EncodeTask {
  readonly shape: readonly number[];
  readonly encoding: BlockEncoding;
  /** Its numbers, or where in a file they lie as float32. */
  readonly from: { readonly dataType: DataType; readonly data: TypedArray } | FilePlace;
}

/** A place in a file. */
interface FilePlace {
  readonly path: string;
  readonly offset: number;
}

/** The blocks, or why there are none. */
export type Encoded = Blocks | { readonly fault: string };

/** Encode a matrix; never throws. */
export function encodeTensor({ shape, encoding, from }: EncodeTask): Encoded {
  try {
    if ("path" in from) {
      using file = Deno.openSync(from.path);
      return encodeBlocks(readerOf(file, from), shape, encoding);
    }
    return encodeBlocks(toFloat32(from.dataType, from.data), shape, encoding);
  } catch (error) {
    return { fault: (error as Error).message };
  }
}

function readerOf(file: Deno.FsFile, { path, offset }: FilePlace): ReadNumbers {
  return (from, { buffer, byteOffset, byteLength }) => {
    file.seekSync(offset + 4 * from, Deno.SeekMode.Start);
    const bytes = new Uint8Array(buffer, byteOffset, byteLength);
    for (let at = 0; at < bytes.length;) {
      const read = file.readSync(bytes.subarray(at));
      if (read === null) throw new FormatError(`it cannot be read: ${path} ends within it`);
      at += read;
    }
  };
}
