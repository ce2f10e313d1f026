// WebP pixels (of an animation, its first frame), by libwebp in WebAssembly. Loaded on first use.
import decodeRgba, { init } from "@jsquash/webp/decode.js";
import { onModule } from "./_emscripten.ts";
import { pickChannels } from "./_pick_channels.ts";
import type { ImageHeader } from "./header.ts";
import { firstFrame } from "./_webp_frame.ts";
import { type Channels, RawImage } from "./raw_image.ts";
import { crop } from "./transforms.ts";

let ready: Promise<unknown> | undefined;

function start(): Promise<void> {
  // @ts-ignore: TypeScript has no types for source phase imports yet. They need no permission and work over http.
  const wasm: Promise<WebAssembly.Module> = import.source("@jsquash/webp/codec/dec/webp_dec.wasm");
  return wasm.then((module) => init(onModule(module)));
}

/** After an error the library's memory is not to be trusted. */
function startAnew(error: unknown): never {
  ready = undefined;
  throw error;
}

/**
 * Decode a WebP to RGB, or RGB and alpha.
 *
 * @param bytes The whole file.
 * @param header Its header.
 */
export async function decodeWebp(bytes: Uint8Array, header: ImageHeader): Promise<RawImage> {
  ready ??= start();
  await ready;
  const frame = firstFrame(bytes);
  const still = (frame?.bytes ?? bytes) as Uint8Array & ArrayBuffer;
  const { data, width, height } = await decodeRgba(still).catch(startAnew);
  const channels: Channels = header.alpha ? 4 : 3;
  const image = new RawImage(pickChannels(data, width * height, channels), width, height, channels);
  return frame ? crop(image, -frame.left, -frame.top, header.width, header.height) : image;
}
