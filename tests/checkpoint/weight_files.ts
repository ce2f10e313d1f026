// A model's weights as torch.save writes them, and as it does not: compressed, strided, of half precision.
import type { Tensor } from "../../src/tensor/mod.ts";
import { type Bytes, op, pickle, torchLegacyPieces, zipPieces } from "./torch_file.ts";

/** How a .bin holds weights. */
export type BinKind = "zip" | "legacy" | "compressed" | "strided" | "half";

/** A tensor as a file holds it. */
interface Held {
  readonly storage: Uint8Array;
  readonly shape: readonly number[];
  readonly strides: readonly number[];
}

/**
 * A .bin in pieces, so that a large one need not be joined in memory.
 *
 * @param tensors float32 tensors by name.
 */
export function binPieces(kind: BinKind, tensors: ReadonlyMap<string, Tensor>): Uint8Array[] {
  const held = [...tensors].map(([name, tensor]) => [name, holding(tensor, kind)] as const);
  if (kind === "legacy") return legacyPieces(held);
  return zipPieces([
    { name: "archive/data.pkl", data: pickle(value(held, kind, [])) },
    ...held.map(([, { storage }], i) => ({
      name: `archive/data/${i}`,
      data: storage,
      ...(kind === "compressed" ? { deflate: true } : { align: 64 }),
    })),
    { name: "archive/version", data: new TextEncoder().encode("3\n") },
  ]);
}

/** Write a .bin. */
export async function writeBin(path: string, kind: BinKind, tensors: ReadonlyMap<string, Tensor>): Promise<void> {
  using file = await Deno.create(path);
  for (const piece of binPieces(kind, tensors)) {
    for (let at = 0; at < piece.length;) at += await file.write(piece.subarray(at));
  }
}

/** The tensor transposed if strided, in 16 bits if of half precision. */
function holding({ shape, data }: Tensor, kind: BinKind): Held {
  const strides = shape.map((_, axis) => shape.slice(axis + 1).reduce((a, b) => a * b, 1));
  const numbers = data as Float32Array<ArrayBuffer>;
  if (kind === "half") return { storage: new Uint8Array(Float16Array.from(numbers).buffer), shape, strides };
  if (kind !== "strided" || shape.length !== 2) return { storage: new Uint8Array(numbers.buffer), shape, strides };
  const [rows, columns] = shape;
  const turned = new Float32Array(numbers.length);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) turned[column * rows + row] = numbers[row * columns + column];
  }
  return { storage: new Uint8Array(turned.buffer), shape, strides: [1, rows] };
}

function legacyPieces(held: readonly (readonly [string, Held])[]): Uint8Array[] {
  // In the legacy form a reference to a storage also says of which part.
  const storages = held.map(([, { storage }], i): [string, number, Uint8Array] => [
    String(i),
    storage.length / 4,
    storage,
  ]);
  return torchLegacyPieces(value(held, "legacy", "N"), storages);
}

function value(held: readonly (readonly [string, Held])[], kind: BinKind, view: Bytes): Bytes {
  const type = op.global("torch", kind === "half" ? "HalfStorage" : "FloatStorage");
  return op.dict(...held.map(([name, { storage, shape, strides }], i): [Bytes, Bytes] => {
    const [key, size] = [op.string(String(i)), op.int(storage.length / (kind === "half" ? 2 : 4))];
    const [sizes, steps] = [op.tuple(...shape.map(op.int)), op.tuple(...strides.map(op.int))];
    return [op.string(name), op.tensor({ type, key, size, view, shape: sizes, strides: steps })];
  }));
}
