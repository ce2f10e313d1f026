// Pictures cut into patches, each one token: what all vision encoders begin with.
import { ShapeError } from "../../errors/mod.ts";
import type { Value } from "../../graph/mod.ts";
import { concat, conv2d, reshape, slice, transposeLast } from "../../operators/mod.ts";
import type { ConfigReader } from "../config/config_reader.ts";
import type { EncoderPlaces } from "../family.ts";
import { resampleGrid } from "./position_resampling.ts";
import type { Scope } from "../scope.ts";

/** The pictures of an encoder and their patches, in pixels. */
export interface Patches {
  readonly channels: number;
  readonly imageSize: readonly [height: number, width: number];
  readonly patch: readonly [height: number, width: number];
  /** The rows and columns of patches in a picture of that size. */
  readonly grid: readonly [rows: number, columns: number];
}

/** Read the sizes of pictures and patches. @throws {ConfigError} If they cannot work. */
export function readPatches(config: ConfigReader): Patches {
  const channels = config.whole("num_channels");
  const imageSize = config.pictureSize("image_size");
  const patch = config.pair("patch_size");
  return { channels, imageSize, patch, grid: gridOf(imageSize, patch, Math.floor) };
}

/** The rows and columns of patches in a picture; a remainder is left out (`Math.floor`) or filled up (`Math.ceil`). */
export function gridOf(
  size: readonly [number, number],
  patch: readonly [number, number],
  round: (patches: number) => number,
): [rows: number, columns: number] {
  return [round(size[0] / patch[0]), round(size[1] / patch[1])];
}

/** The height and width of pictures [batch, channels, height, width], in pixels. */
export function pictureSize({ shape }: Value): [height: number, width: number] {
  return [shape[2] as number, shape[3] as number];
}

/** Where the states of patches lie that follow `special` tokens. */
export function patchPlaces(size: readonly [number, number], { patch }: Patches, special: number): EncoderPlaces {
  return { special, grid: gridOf(size, patch, Math.floor), cell: patch };
}

/** @throws {ShapeError} If pictures are not of the size an encoder was made for. */
export function checkImageSize(pixelValues: Value, { imageSize }: Patches): void {
  const [height, width] = pictureSize(pixelValues);
  if (height === imageSize[0] && width === imageSize[1]) return;
  throw new ShapeError(
    `Cannot encode pictures of ${height} × ${width}: the encoder was made for ${imageSize.join(" × ")}; ` +
      `interpolatePosEncoding lets it take others`,
    { op: "encode", shapes: [pixelValues.shape] },
  );
}

/** @throws {ShapeError} If pictures have not as many patches as there are positions. */
export function checkPatchCount(pixelValues: Value, grid: readonly [number, number], learned: Patches): void {
  if (grid[0] * grid[1] === learned.grid[0] * learned.grid[1]) return;
  throw new ShapeError(
    `Cannot encode pictures of ${pictureSize(pixelValues).join(" × ")}: the encoder has positions for ${
      learned.grid.join(" × ")
    } patches, these have ${grid.join(" × ")}; interpolatePosEncoding lets it take others`,
    { op: "encode", shapes: [pixelValues.shape] },
  );
}

/**
 * Make a token of each patch; what does not fill a patch is left out.
 *
 * @param pixelValues Shape [batch, channels, height, width].
 * @param width The width C of a token.
 * @param options.name What the kernel is called. @default "patch_embeddings.projection"
 * @param options.bias Whether it has a bias. @default true
 * @returns The tokens, [batch, rows · columns, C], row by row, and the grid.
 * @throws {ShapeError} If the pictures are smaller than a patch.
 */
export function embedPatches(
  scope: Scope,
  pixelValues: Value,
  { channels, patch }: Patches,
  width: number,
  options: { name?: string; bias?: boolean } = {},
): { tokens: Value; grid: [rows: number, columns: number] } {
  const [batch] = pixelValues.shape;
  const size = pictureSize(pixelValues);
  const grid = gridOf(size, patch, Math.floor);
  if (grid[0] < 1 || grid[1] < 1) {
    throw new ShapeError(
      `Cannot encode pictures of ${size.join(" × ")}: they are smaller than a patch of ${
        patch.join(" × ")
      } (patch_size)`,
      { op: "encode", shapes: [pixelValues.shape] },
    );
  }
  const used = [grid[0] * patch[0], grid[1] * patch[1]];
  const whole = used.join() === size.join()
    ? pixelValues
    : slice(pixelValues, { starts: [0, 0, 0, 0], sizes: [batch, channels, ...used] });
  const { name = "patch_embeddings.projection", bias = true } = options;
  const projection = scope.at(name);
  const cells = conv2d(whole, projection.parameter("weight", [width, channels, ...patch]), {
    bias: bias ? projection.parameter("bias", [width]) : undefined,
    strides: patch,
  });
  const tokens = transposeLast(reshape(cells, { shape: [batch, width, grid[0] * grid[1]] }));
  return { tokens, grid };
}

/** The positions that an encoder has learned. */
export interface LearnedPositions {
  /** The grid of patches that they are for. */
  readonly grid: readonly [rows: number, columns: number];
  /** How many special tokens have positions before the patches'. */
  readonly special: number;
  /** The width C of a position. */
  readonly width: number;
  /** The torch.nn.Embedding that holds them. @default none: they are the parameter `position_embeddings` */
  readonly embedding?: string;
}

/** The learned positions as they are, shape [1, special + patches, C]. */
export function learnedPositions(scope: Scope, { grid, special, width, embedding }: LearnedPositions): Value {
  const count = special + grid[0] * grid[1];
  if (!embedding) return scope.parameter("position_embeddings", [1, count, width]);
  return reshape(scope.parameter(`${embedding}.weight`, [count, width]), { shape: [1, count, width] });
}

/**
 * The learned positions stretched bicubically to the grid of pictures of any size (`interpolate_pos_encoding`), those of
 * special tokens kept. The reference takes what it has learned for a square wherever the number of patches is one, even
 * if they were 2 × 8, and leaves it alone for square pictures of as many patches.
 *
 * @param picture The pictures' height and width, in pixels.
 * @param grid Their rows and columns of patches.
 * @returns Shape [1, special + rows · columns, C].
 */
export function stretchedPositions(
  scope: Scope,
  learned: LearnedPositions,
  picture: readonly [number, number],
  grid: readonly [number, number],
): Value {
  const { special, width } = learned;
  const count = learned.grid[0] * learned.grid[1];
  const table = learnedPositions(scope, learned);
  const side = Math.sqrt(count);
  const from = Number.isInteger(side) ? [side, side] as const : learned.grid;
  const kept = picture[0] === picture[1] && count === grid[0] * grid[1];
  if (kept || from.join() === grid.join()) return table;
  const part = (start: number, size: number) => slice(table, { starts: [0, start, 0], sizes: [1, size, width] });
  const patches = reshape(part(special, count), { shape: [count, width] });
  const stretched = reshape(resampleGrid(patches, from, grid, "bicubic"), { shape: [1, grid[0] * grid[1], width] });
  return special ? concat([part(0, special), stretched], { axis: 1 }) : stretched;
}
