// The bytes that a generation's buffers take, known before it begins (session.ts allocates them).
import type { Architecture } from "../../models/mod.ts";

/** What is generated. */
export interface GenerationSize {
  /** Pictures. */
  readonly batch: number;
  /** Their height and width, in pixels. */
  readonly size: readonly [height: number, width: number];
  /** Pictures times beams. */
  readonly rows: number;
  /** The most tokens of a row. */
  readonly positions: number;
}

/** Copies of a row's scores that programs and the host have at once. */
const scoreCopies = 4;

/** The bytes of the caches and the scores of rows, and of the encoder's keys and values. */
export function generationBytes(
  { encoder, decoder }: Pick<Architecture, "encoder" | "decoder">,
  { batch, size, rows, positions }: GenerationSize,
): number {
  const { layers, heads, headWidth, vocabularySize } = decoder;
  const { special, grid } = encoder.places(size);
  const position = 4 * 2 * layers * heads * headWidth; // a key and a value of each layer
  return batch * (special + grid[0] * grid[1]) * position +
    rows * (positions * position + 4 * scoreCopies * vocabularySize);
}
