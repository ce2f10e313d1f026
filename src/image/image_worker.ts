// What runs in a worker of image_workers.ts: a file comes in, its pixels go out, one after the other.
import { decodeImage } from "./formats/decode_image.ts";
import type { ImageFile } from "./image_file.ts";
import type { ProcessorSettings } from "./processor/processor_config.ts";
import type { Channels, RawImage } from "./raw_image.ts";
import { shapeImage } from "./processor/shape_image.ts";

/** A file to decode. */
export interface ImageTask {
  readonly file: ImageFile;
  /** What the picture is shaped by, if it is. */
  readonly settings?: ProcessorSettings;
}

/** The fields of a picture, which is an object of this thread only. */
export interface Pixels {
  readonly data: Uint8Array<ArrayBuffer>;
  readonly width: number;
  readonly height: number;
  readonly channels: Channels;
}

/** What came of a file. */
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
      return image; // The caller's processor says what is wrong with it.
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

/** What is used of a worker's global object, for which the project's other files have no types. */
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
