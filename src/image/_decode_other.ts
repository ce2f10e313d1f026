// GIF (the first frame), BMP and CMYK JPEG pixels, by the image crate in photon's WebAssembly.
import { initPhoton, PhotonImage } from "@cf-wasm/photon/others";
import { pickChannels } from "./_pick_channels.ts";
import type { Decoder } from "./image_header.ts";
import { RawImage } from "./raw_image.ts";

/** Load the decoder; it gives RGB, or RGB and alpha. */
export async function load(): Promise<Decoder> {
  // @ts-ignore: TypeScript has no types for source phase imports yet. They need no permission and work over http.
  const module = await import.source("@cf-wasm/photon/photon.wasm");
  if (!initPhoton.initialized) initPhoton.sync({ module });
  return (bytes, header) => {
    const image = PhotonImage.new_from_byteslice(bytes);
    const [width, height] = [image.get_width(), image.get_height()];
    const rgba = image.get_raw_pixels();
    image.free();
    if (header.background) {
      for (let at = 0; at < rgba.length; at += 4) if (rgba[at + 3] === 0) rgba.set(header.background, at);
    }
    const channels = header.alpha ? 4 : 3;
    return new RawImage(pickChannels(rgba, width * height, channels), width, height, channels);
  };
}
