// The pictures and prompts of a call, a batch at a time.
import { OptionError } from "../errors/mod.ts";
import type { GenerateOptions } from "../generation/mod.ts";
import { nameOfSource } from "../image/source_bytes.ts";
import { type ImageSource, RawImage } from "../image/mod.ts";
import type { Picture } from "../image/picture_reader.ts";
import { Tensor } from "../tensor/mod.ts";

/** A picture: a path, an address, base64, the bytes of a file in whatever holds them, or pixels. */
export type ImageInput = ImageSource | RawImage;

/** Pictures given to the model at once. */
export const batchSize = 8;

/** Pictures to read; one of several that has no name is called by its place among them. */
export function picturesOf(images: readonly ImageInput[]): Picture[] {
  return images.map((source, i) => {
    const nameless = !(source instanceof RawImage) && nameOfSource(source).startsWith("(");
    return { source, name: nameless && images.length > 1 ? `images[${i}]` : undefined };
  });
}

/** Prompts as lists. */
export interface Prompts {
  readonly decoderInputIds: readonly (readonly number[])[] | undefined;
}

/**
 * The prompts of each batch.
 *
 * @throws {OptionError} If there is neither one for each picture nor one for all.
 */
export function promptsOf(count: number, { decoderInputIds: given }: GenerateOptions): (at: number) => Prompts {
  if (given === undefined || given === null) return () => ({ decoderInputIds: undefined });
  const rows = given instanceof Tensor ? given.toList() as number[][] : given;
  if (![1, count].includes(rows.length)) {
    throw new OptionError(
      `Cannot caption: there are ${count} pictures, but decoderInputIds has ${rows.length} rows; expected one for each, ` +
        `or one for all`,
    );
  }
  const all = rows.length === count ? rows : Array(count).fill(rows[0]);
  return (at) => ({ decoderInputIds: all.slice(at, at + batchSize) });
}
