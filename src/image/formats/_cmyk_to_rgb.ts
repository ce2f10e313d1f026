// CMYK to RGB, by Pillow's arithmetic.

/**
 * Convert CMYK to RGB.
 *
 * @param cmyk Cyan, magenta, yellow and black, shape [pixels, 4].
 * @param inverted Whether 255 is no ink, as Adobe writes JPEG. @default false
 * @returns Samples, shape [pixels, 3].
 */
export function cmykToRgb(cmyk: Uint8Array, inverted = false): Uint8Array {
  const rgb = new Uint8Array(cmyk.length / 4 * 3);
  const mask = inverted ? 255 : 0;
  for (let from = 0, to = 0; from < cmyk.length; from += 4) {
    const light = 255 - (cmyk[from + 3] ^ mask);
    for (let c = 0; c < 3; c++) {
      const product = (cmyk[from + c] ^ mask) * light + 128;
      rgb[to++] = light - ((product >> 8) + product >> 8);
    }
  }
  return rgb;
}
