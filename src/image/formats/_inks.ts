// Cyan, magenta, yellow and black to RGB, by Pillow's arithmetic.

/**
 * RGB of inks.
 *
 * @param inks Samples, shape [pixels, 4].
 * @param inverted Whether 255 is no ink, as Adobe writes JPEG. @default false
 * @returns Samples, shape [pixels, 3].
 */
export function inksToRgb(inks: Uint8Array, inverted = false): Uint8Array {
  const rgb = new Uint8Array(inks.length / 4 * 3);
  const mask = inverted ? 255 : 0;
  for (let from = 0, to = 0; from < inks.length; from += 4) {
    const light = 255 - (inks[from + 3] ^ mask);
    for (let c = 0; c < 3; c++) {
      const product = (inks[from + c] ^ mask) * light + 128;
      rgb[to++] = light - ((product >> 8) + product >> 8);
    }
  }
  return rgb;
}
