// The pictures and prompts of a call, a batch at a time.
import { abortable } from "./abortable.ts";
import { OptionError } from "./errors.ts";
import type { GenerateOptions } from "./generation/mod.ts";
import { RawImage, readImage } from "./image/mod.ts";
import { Tensor } from "./tensor/mod.ts";

/** A picture: a path, an address, the bytes of a file, or pixels. */
export type ImageInput = string | URL | Uint8Array | Blob | RawImage;

/** Pictures given to the model at once. */
export const batchSize = 8;

/**
 * Read the pictures of a batch; an abort does not wait for what is slow to come.
 *
 * @param at Where the batch begins among `images`, by which a picture without a name is called.
 */
export async function readImages(images: readonly ImageInput[], at: number, signal?: AbortSignal): Promise<RawImage[]> {
  signal?.throwIfAborted();
  const read = (image: ImageInput, i: number): Promise<RawImage> | RawImage => {
    if (image instanceof RawImage) return image;
    const nameless = image instanceof Uint8Array || image instanceof Blob && !(image instanceof File);
    return readImage(image, { signal, ...(nameless && images.length > 1 && { name: `images[${at + i}]` }) });
  };
  return await abortable(Promise.all(images.slice(at, at + batchSize).map(read)), signal);
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
