// From the RGBA that decoders give to the channels a picture has.
import type { Channels } from "./raw_image.ts";

/**
 * Keep some of RGBA's channels.
 *
 * @param rgba Samples, 4 a pixel; what is above 255 is clipped.
 * @param pixels How many pixels.
 * @param channels 1 keeps red (grey), 2 red and alpha, 3 RGB, 4 all.
 */
export function pickChannels(rgba: ArrayLike<number>, pixels: number, channels: Channels): Uint8Array {
  if (channels === 4) return Uint8Array.from(rgba);
  const data = new Uint8Array(pixels * channels);
  for (let i = 0, from = 0, to = 0; i < pixels; i++, from += 4) {
    data[to++] = Math.min(255, rgba[from]);
    if (channels === 2) data[to++] = rgba[from + 3];
    else if (channels === 3) {
      data[to++] = rgba[from + 1];
      data[to++] = rgba[from + 2];
    }
  }
  return data;
}
