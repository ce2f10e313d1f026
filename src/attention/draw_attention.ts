// Draws where the model looked as a sheet of tiles: one tile per token, in reading order, with the token as its label. The
// picture is dark where the model did not look, and bright where it did.
import { RawImage, resize } from "../image/mod.ts";
import type { AttendedToken, Attention } from "./attention.ts";
import { type Layout, layOut } from "./_tile_layout.ts";

type Color = readonly [red: number, green: number, blue: number];

const background: Color = [18, 18, 24];
const ink: Color = [232, 232, 238];

/** Colours of heat from 0 to 1: matplotlib's "inferno", at even steps. */
const inferno: readonly Color[] = [
  ...[[0, 0, 4], [31, 12, 72], [85, 15, 109], [136, 34, 106], [186, 54, 85], [227, 89, 51]] as const,
  ...[[249, 140, 10], [249, 201, 50], [252, 255, 164]] as const,
];

/** How bright and how coloured the picture is where the model did not look. */
const [dimmed, coloured] = [0.5, 0.35];

/** For each heat from 0 to 255, its colour and the share with which that covers the picture. */
const glow = Array.from({ length: 256 }, (_, heat): { color: Color; share: number } => {
  const place = (0.25 + 0.75 * heat / 255) * (inferno.length - 1);
  const below = Math.min(inferno.length - 2, Math.floor(place));
  const mix = (c: number) => inferno[below][c] + (inferno[below + 1][c] - inferno[below][c]) * (place - below);
  return { color: [mix(0), mix(1), mix(2)], share: 0.85 * (heat / 255) ** 0.6 };
});

/** A token's heat stretched over a tile, 0 to 255, the hottest cell at 255. */
function stretch(heat: AttendedToken["heat"], cell: Attention["cell"], width: number, height: number): Uint8Array {
  const [rows, columns] = heat.shape;
  const [down, across] = [1 / cell[0], 1 / cell[1]]; // cells per side of the picture, which may be more or fewer than the grid's
  const grid = { height: Math.max(rows, Math.ceil(down)), width: Math.max(columns, Math.ceil(across)) };
  const data = new Uint8Array(grid.height * grid.width);
  const values = heat.data as Float32Array;
  const most = values.reduce((most, value) => Math.max(most, value), 0) || 1;
  values.forEach((value, i) => {
    data[Math.floor(i / columns) * grid.width + i % columns] = Math.round(255 * value / most);
  });
  return resize(new RawImage(data, grid.width, grid.height, 1), width, height, 3, [0, 0, across, down]).data;
}

/** Paint a tile's picture onto a sheet. */
function paintTile(sheet: RawImage, left: number, top: number, picture: RawImage, heat: Uint8Array): void {
  for (let y = 0, i = 0; y < picture.height; y++) {
    for (let x = 0; x < picture.width; x++, i++) {
      const { color, share } = glow[heat[i]];
      const from = 3 * i;
      const grey = 0.299 * picture.data[from] + 0.587 * picture.data[from + 1] + 0.114 * picture.data[from + 2];
      const light = 0.35 + 0.65 * grey / 255;
      const to = 3 * ((top + y) * sheet.width + left + x);
      for (let c = 0; c < 3; c++) {
        const dark = dimmed * (grey + coloured * (picture.data[from + c] - grey));
        sheet.data[to + c] = Math.round(dark + (color[c] * light - dark) * share);
      }
    }
  }
}

/** Paint a label; `coverage` is how much of each pixel its text covers. */
function paintLabel(sheet: RawImage, left: number, top: number, { tile, label }: Layout, coverage: Uint8Array): void {
  for (let y = 0, i = 0; y < label.height; y++) {
    for (let x = 0; x < tile.width; x++, i++) {
      const to = 3 * ((top + y) * sheet.width + left + x);
      for (let c = 0; c < 3; c++) {
        sheet.data[to + c] = Math.round(background[c] + (ink[c] - background[c]) * coverage[i] / 255);
      }
    }
  }
}

/**
 * Draw where the model looked when it chose each token.
 *
 * @param attention The attention of a caption, which `Captioner.captions` returns with `outputAttentions`.
 * @returns A sheet of tiles, RGB.
 */
export async function drawAttention({ picture, cell, tokens }: Attention): Promise<RawImage> {
  const layout = layOut(Math.max(1, tokens.length), picture);
  const { tile, label, gap, columns, width, height } = layout;
  const small = resize(picture.toRgb(true), tile.width, tile.height, 3);
  const { loadLabels } = await import("./_label.ts");
  const drawLabel = await loadLabels(tile.width, label.height, label.fontSize);
  const data = new Uint8Array(3 * width * height);
  for (let at = 0; at < data.length; at += 3) data.set(background, at);
  const sheet = new RawImage(data, width, height, 3);
  tokens.forEach(({ text, heat }, i) => {
    const left = gap + (i % columns) * (tile.width + gap);
    const top = gap + Math.floor(i / columns) * (tile.height + label.height + gap);
    paintTile(sheet, left, top, small, stretch(heat, cell, tile.width, tile.height));
    paintLabel(sheet, left, top + tile.height, layout, drawLabel(text));
  });
  return sheet;
}
