// JPEG pixels, by mozjpeg in WebAssembly. Loaded on first use.
import decodeRgba, { init } from "@jsquash/jpeg/decode.js";
import { onModule } from "./_emscripten.ts";
import { pickChannels } from "./_pick_channels.ts";
import type { ImageHeader } from "./header.ts";
import { RawImage } from "./raw_image.ts";

let ready: Promise<unknown> | undefined;

function start(): Promise<void> {
  // @ts-ignore: TypeScript has no types for source phase imports yet. They need no permission and work over http.
  const wasm: Promise<WebAssembly.Module> = import.source("@jsquash/jpeg/codec/dec/mozjpeg_dec.wasm");
  return wasm.then((module) => init(onModule(module)));
}

/** After an error the library's memory is not to be trusted. */
function startAnew(error: unknown): never {
  ready = undefined;
  throw error;
}

/**
 * Decode a JPEG to grey or RGB.
 *
 * @param bytes The whole file.
 * @param header Its header.
 */
export async function decodeJpeg(bytes: Uint8Array, header: ImageHeader): Promise<RawImage> {
  ready ??= start();
  await ready;
  const { data, width, height } = await decodeRgba(bytes as Uint8Array & ArrayBuffer).catch(startAnew);
  const channels = header.color === "grey" ? 1 : 3;
  return new RawImage(pickChannels(data, width * height, channels), width, height, channels);
}
