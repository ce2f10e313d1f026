// The script of image_workers.ts's workers: each message is a file to decode, each answer its pixels.
import { decodeImage } from "./formats/decode_image.ts";
import type { ImageFile } from "./image_file.ts";
import type { ProcessorSettings } from "./processor/processor_settings.ts";
import type { Channels, RawImage } from "./raw_image.ts";
import { shapeImage } from "./processor/shape_image.ts";

/** A file to decode. */
export interface ImageTask {
  readonly file: ImageFile;
  /** The processor whose geometry is applied too, if any. */
  readonly settings?: ProcessorSettings;
}

/** The fields of a picture, which as an object cannot be sent to another thread. */
export interface Pixels {
  readonly data: Uint8Array<ArrayBuffer>;
  readonly width: number;
  readonly height: number;
  readonly channels: Channels;
}

/** The result for a file. */
export type ImageAnswer = { readonly pixels: Pixels; readonly shaped: boolean } | {
  /** The error's name and message. */
  readonly fault: readonly [name: string, message: string];
};

async function answer({ file, settings }: ImageTask): Promise<ImageAnswer> {
  let shaped = false;
  const shape = (image: RawImage): RawImage => {
    if (!settings) return image;
    try {
      const result = shapeImage(image, settings);
      shaped = true;
      return result;
    } catch {
      return image; // the caller's processor reports what is wrong
    }
  };
  try {
    return { pixels: fieldsOf(await decodeImage(file, shape)), shaped };
  } catch (error) {
    const { name, message } = error as Error;
    return { fault: [name, message] };
  }
}

function fieldsOf({ data, width, height, channels }: RawImage): Pixels {
  return { data: data as Uint8Array<ArrayBuffer>, width, height, channels };
}

/** The part of a worker's global object that is used; deno.json's compiler options have no types for workers. */
interface WorkerScope {
  onmessage: (event: MessageEvent<ImageTask>) => void;
  postMessage(answer: ImageAnswer | "ready", transfer?: Transferable[]): void;
}
const scope = globalThis as unknown as WorkerScope;
scope.onmessage = async ({ data: task }) => {
  const given = await answer(task);
  scope.postMessage(given, "pixels" in given ? [given.pixels.data.buffer] : []);
};
scope.postMessage("ready");
