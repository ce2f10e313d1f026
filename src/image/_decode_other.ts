// GIF (the first frame) and BMP pixels, by the image crate in photon's WebAssembly. Loaded on first use.
import { initPhoton, PhotonImage } from "@cf-wasm/photon/others";
import type { ImageHeader } from "./header.ts";
import { type Channels, RawImage } from "./raw_image.ts";
import { pickChannels } from "./_pick_channels.ts";

let ready: Promise<unknown> | undefined;

/**
 * Decode a picture to RGB, or RGB and alpha.
 *
 * @param bytes The whole file.
 * @param header Its header.
 */
export async function decodeOther(bytes: Uint8Array, header: ImageHeader): Promise<RawImage> {
  // @ts-ignore: TypeScript has no types for source phase imports yet. They need no permission and work over http.
  ready ??= import.source("@cf-wasm/photon/photon.wasm").then((module) => initPhoton({ module_or_path: module }));
  await ready;
  const image = PhotonImage.new_from_byteslice(bytes);
  const [width, height] = [image.get_width(), image.get_height()];
  const rgba = image.get_raw_pixels();
  image.free();
  if (header.background) {
    for (let at = 0; at < rgba.length; at += 4) if (rgba[at + 3] === 0) rgba.set(header.background, at);
  }
  const channels: Channels = header.alpha ? 4 : 3;
  return new RawImage(pickChannels(rgba, width * height, channels), width, height, channels);
}
