// The pictures and results of Pillow and Transformers under fixtures/images, for the image tests.
import { RawImage } from "../../src/image/mod.ts";

const folder = new URL("../fixtures/images/", import.meta.url);

/** One run of a Transformers image processor. */
export interface ProcessorCase {
  name: string;
  processor: string;
  config: Record<string, unknown>;
  files: string[];
  convert_before: "RGB" | null;
  exif_transpose: boolean;
  call_kwargs: Record<string, unknown>;
  error?: string;
}

/** An array as a safetensors file holds it. */
export interface StoredArray {
  dtype: string;
  shape: number[];
  data: ArrayLike<number>;
}

/** Read a small safetensors file of unsigned bytes, unsigned 16-bit integers and float32. */
export function readStored(file: URL): Map<string, StoredArray> {
  const bytes = Deno.readFileSync(file);
  const length = Number(new DataView(bytes.buffer).getBigUint64(0, true));
  const header = JSON.parse(new TextDecoder().decode(bytes.subarray(8, 8 + length)));
  const arrays = new Map<string, StoredArray>();
  for (const [name, entry] of Object.entries(header)) {
    if (name === "__metadata__") continue;
    const { dtype, shape, data_offsets: [from, to] } = entry as {
      dtype: string;
      shape: number[];
      data_offsets: [number, number];
    };
    const part = bytes.slice(8 + length + from, 8 + length + to);
    const data = dtype === "F32"
      ? new Float32Array(part.buffer)
      : dtype === "U8"
      ? part
      : dtype === "U16"
      ? new Uint16Array(part.buffer)
      : dtype === "I32"
      ? new Int32Array(part.buffer)
      : undefined;
    if (!data) throw new Error(`${file} holds ${name} as ${dtype}`);
    arrays.set(name, { dtype, shape, data });
  }
  return arrays;
}

/** The path of a picture file. */
export function inputUrl(file: string): URL {
  return new URL(`inputs/${file}`, folder);
}

export const cases: ProcessorCase[] = JSON.parse(Deno.readTextFileSync(new URL("golden.json", folder))).cases;
export const decoded: Map<string, StoredArray> = readStored(new URL("decoded.safetensors", folder));
export const expected: Map<string, StoredArray> = readStored(new URL("expected.safetensors", folder));

/** A picture as Pillow decodes it to RGB. */
export function decodedRgb(file: string, transposed = false): RawImage {
  const { shape, data } = decoded.get(`${file}.rgb${transposed ? "_exif_transposed" : ""}`)!;
  return new RawImage(data as Uint8Array, shape[1], shape[0], 3);
}

/** How two lists of numbers differ: the largest distance, and the share of places where they are within `tolerance`. */
export function compare(
  actual: ArrayLike<number>,
  golden: ArrayLike<number>,
  tolerance = 0,
): { worst: number; share: number } {
  if (actual.length !== golden.length) return { worst: Infinity, share: 0 };
  let worst = 0, near = 0;
  for (let i = 0; i < golden.length; i++) {
    const distance = Math.abs(actual[i] - golden[i]);
    if (distance > worst || Number.isNaN(distance)) worst = distance;
    if (distance <= tolerance) near++;
  }
  return { worst, share: near / golden.length };
}
