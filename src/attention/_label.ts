// Text as pixels, in the font that photon's WebAssembly contains: Roboto, for Latin, Greek and Cyrillic.
import { loadPhoton, loadPhotonModule } from "../packages/cf_wasm_photon.ts";

/** Draws one line of text, cut off where it does not fit. */
export type DrawLabel = (text: string) => Uint8Array;

/** A text as it can be drawn: characters that the font lacks become code points, and blanks become words. */
function legible(text: string): string {
  const named = text.replace(/^ +(?=\S)/, "").replace(/\n/g, "⏎");
  if (named.trim() === "") return text === "" ? "(part of a character)" : "(space)";
  return named.replace(/[^\x20-\x7E\u00A0-\u052F\u1E00-\u1FFF\u2010-\u2026\u2030-\u203A\u20AC]/gu, (character) => {
    return `U+${character.codePointAt(0)!.toString(16).toUpperCase().padStart(4, "0")} `;
  });
}

/**
 * Load the font's library.
 *
 * @returns A function that draws a text: how much of each pixel it covers, 0 to 255, shape [height, width].
 */
export async function loadLabels(width: number, height: number, fontSize: number): Promise<DrawLabel> {
  const module = await loadPhotonModule();
  const { draw_text_with_color: drawText, initPhoton, PhotonImage, Rgba } = await loadPhoton();
  if (!initPhoton.initialized) initPhoton.sync({ module });
  const known = new Map<string, Uint8Array>();
  const draw = (text: string): Uint8Array => {
    const blank = new Uint8Array(4 * width * height);
    for (let at = 3; at < blank.length; at += 4) blank[at] = 255;
    const image = new PhotonImage(blank, width, height);
    drawText(image, text, 0, Math.round((height - fontSize) / 2), fontSize, new Rgba(255, 255, 255, 255));
    const drawn = image.get_raw_pixels();
    image.free();
    return Uint8Array.from({ length: width * height }, (_, i) => drawn[4 * i]);
  };
  return (text) => {
    const line = legible(text);
    const label = known.get(line) ?? draw(line);
    known.set(line, label);
    return label;
  };
}
