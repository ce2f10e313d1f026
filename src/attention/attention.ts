// Where the model looked for each token: the decoder's cross-attention, arranged as the cells of the picture.
import type { ImageProcessor, RawImage } from "../image/mod.ts";
import type { EncoderPlaces, VisionEncoder } from "../models/mod.ts";
import { Tensor } from "../tensor/mod.ts";
import type { Tokenizer } from "../tokenizer/mod.ts";
import { modelView } from "./_model_view.ts";

/** A token, and where the model looked when it chose it. */
export interface AttendedToken {
  /** The token's id. */
  readonly id: number;
  /** Its text; a special token as the vocabulary spells it. */
  readonly text: string;
  /** The share of attention on each cell, shape [rows, columns], float32; that on special states is left out. */
  readonly heat: Tensor;
}

/** Where the model looked in a picture. */
export interface Attention {
  /** The picture that `heat` covers; if it was cropped, padded or turned, the result of that, which the model saw. */
  readonly picture: RawImage;
  /** The height and width of a cell as shares of the picture's; cells begin at the upper left. */
  readonly cell: readonly [height: number, width: number];
  /** The new tokens, the end token too. */
  readonly tokens: readonly AttendedToken[];
}

/** One row of a batch, as {@linkcode attentionOf} needs it. */
export interface AttendedRow {
  readonly row: number;
  /** The row's tokens, of which the new ones begin at `from`. */
  readonly ids: readonly number[];
  readonly from: number;
  readonly image: RawImage;
  /** The height and width of the picture for the model, in pixels. */
  readonly size: readonly [height: number, width: number];
  readonly processor: ImageProcessor;
  readonly tokenizer: Tokenizer;
  readonly encoder: VisionEncoder;
}

/**
 * Compute where the model looked: the mean over the heads of the decoder's last layer.
 *
 * @param crossAttentions Each layer's attentions, [rows, H, T, S]: entry t of a row belongs to the token at t + 1.
 */
export function attentionOf(
  crossAttentions: readonly Tensor[],
  { row, ids, from, image, size, processor, tokenizer, encoder }: AttendedRow,
): Attention {
  const places = encoder.places(size);
  const last = crossAttentions[crossAttentions.length - 1];
  const special = new Set(tokenizer.allSpecialIds);
  const textOf = (id: number) => special.has(id) ? tokenizer.idToToken(id) ?? "" : tokenizer.decode([id]);
  return {
    picture: modelView(image, processor),
    cell: [places.cell[0] / size[0], places.cell[1] / size[1]],
    tokens: ids.slice(from).map((id, i) => ({ id, text: textOf(id), heat: heatOf(last, row, from + i - 1, places) })),
  };
}

/** The mean over heads at step t of a row of attentions [rows, H, T, S]. */
function heatOf({ shape, data }: Tensor, row: number, t: number, { special, grid }: EncoderPlaces): Tensor {
  const [, H, T, S] = shape;
  const heat = new Float32Array(grid[0] * grid[1]);
  for (let h = 0; h < H; h++) {
    const start = ((row * H + h) * T + t) * S + special;
    for (let i = 0; i < heat.length; i++) heat[i] += (data as Float32Array)[start + i] / H;
  }
  return new Tensor("float32", grid, heat);
}
