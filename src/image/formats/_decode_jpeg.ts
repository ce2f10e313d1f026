// JPEG pixels by libjpeg-turbo, which Pillow decodes with too, in @cwasm/jpeg-turbo's WebAssembly. That has no SIMD and takes
// 2 to 3 times Pillow's time for the same pixels; the workers of image_workers.ts make up for it.
import { loadJpegModule } from "../../packages/cwasm_jpeg_turbo.ts";
import { cmykToRgb } from "./_cmyk_to_rgb.ts";
import { type DecoderInstance, instantiate, onInstances } from "./_wasm_decoder.ts";
import type { Decoder, ImageHeader } from "./headers/image_header.ts";
import { RawImage } from "../raw_image.ts";

/** TurboJPEG's functions (turbojpeg.h); addresses and sizes are in bytes. */
interface TurboJpeg {
  readonly memory: WebAssembly.Memory;
  malloc(bytes: number): number;
  free(at: number): void;
  tjInitDecompress(): number;
  /** It returns -1 after a warning too; an error calls `longjmp`, which is not provided and so throws. */
  tjDecompress2(
    handle: number,
    file: number,
    length: number,
    pixels: number,
    width: number,
    pitch: number,
    height: number,
    format: number,
    flags: number,
  ): number;
  tjDestroy(handle: number): void;
}

/** TurboJPEG's pixel format for each kind of file, and the samples of a pixel. */
const formats = { grey: [6, 1], rgb: [0, 3], cmyk: [11, 4], ycck: [11, 4] } as const;

/** Load the decoder; it returns grey or RGB, not yet turned by EXIF's orientation. */
export async function load(): Promise<Decoder> {
  const module = await loadJpegModule();
  return onInstances(() => start(module));
}

function start(module: WebAssembly.Module): DecoderInstance {
  const turbo = instantiate<TurboJpeg>(module, { setjmp: () => 0, environ_sizes_get: () => 0, fd_write: () => 0 });
  let pixels = 0; // the last picture's
  const decode = (bytes: Uint8Array, { width, height, color }: ImageHeader): RawImage => {
    const [format, samples] = formats[color as keyof typeof formats];
    const size = width * height * samples;
    turbo.free(pixels);
    pixels = turbo.malloc(size);
    const [file, handle] = [turbo.malloc(bytes.length), turbo.tjInitDecompress()];
    if (!file || !pixels || !handle) throw new Error("the memory is not enough");
    new Uint8Array(turbo.memory.buffer).set(bytes, file);
    turbo.tjDecompress2(handle, file, bytes.length, pixels, width, width * samples, height, format, 0);
    turbo.tjDestroy(handle);
    turbo.free(file);
    const data = new Uint8Array(turbo.memory.buffer, pixels >>> 0, size);
    return samples === 4
      ? new RawImage(cmykToRgb(data, true), width, height, 3)
      : new RawImage(data, width, height, samples);
  };
  return { memory: turbo.memory, decode };
}
