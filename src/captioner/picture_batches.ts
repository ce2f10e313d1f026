// The pictures of a call and what is asked of each, a batch at a time.
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

/** Options that a batch has of its own: what its rows begin with, as lists, and where it is among the call's pictures. */
export interface BatchOptions {
  readonly decoderInputIds: readonly (readonly number[])[] | undefined;
  /** Not there where it is one token, or the model's. */
  readonly decoderStartTokenId?: readonly number[];
  /** The place of its first picture among the call's, or among those that the call is a part of. */
  readonly firstPicture: number;
}

/**
 * The options of each batch.
 *
 * @throws {OptionError} If there is neither one for each picture nor one for all.
 */
export function batchOptionsOf(count: number, options: GenerateOptions): (at: number) => BatchOptions {
  const { decoderInputIds: given, decoderStartTokenId: start, firstPicture = 0 } = options;
  const rows = given instanceof Tensor ? given.toList() as number[][] : given ?? undefined;
  const prompts = rows && oneForEach(rows, count, "decoderInputIds has", "rows");
  const starts = Array.isArray(start) ? oneForEach<number>(start, count, "decoderStartTokenId has", "ids") : undefined;
  return (at) => ({
    decoderInputIds: prompts?.slice(at, at + batchSize),
    ...(starts && { decoderStartTokenId: starts.slice(at, at + batchSize) }),
    firstPicture: firstPicture + at,
  });
}

/** As many as there are pictures, of as many or of one for all. */
function oneForEach<T>(given: readonly T[], count: number, has: string, things: string): readonly T[] {
  if (given.length === count) return given;
  if (given.length === 1) return Array(count).fill(given[0]);
  throw new OptionError(
    `Cannot caption: there are ${count} pictures, but ${has} ${given.length} ${things}; expected one for each, or one ` +
      "for all",
  );
}
