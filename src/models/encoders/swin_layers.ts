// The encoder that Swin, Donut's Swin and Swin v2 share: stages of layers in which tokens see their window of a grid, and
// between them every 2 × 2 tokens made one of double width.
import { type Dimension, multiplyDimensions, type Value } from "../../graph/mod.ts";
import { add, concat, pad, reshape, slice, transpose } from "../../operators/mod.ts";
import { commonDefaults, type ConfigReader, type Fields } from "../config/config_reader.ts";
import type { VisionEncoder } from "../family.ts";
import { activationNames, type NamedActivation } from "../activations.ts";
import { zeros } from "../parameters/initial_values.ts";
import {
  checkPatchCount,
  embedPatches,
  gridOf,
  learnedPositions,
  type Patches,
  pictureSize,
  readPatches,
  stretchedPositions,
} from "./patches.ts";
import type { Scope } from "../scope.ts";
import { risingPaths } from "./vision_layers.ts";
import { attendInWindows, type Grid, padGrid, type ShiftMasks, shiftMasks, type WindowGroup } from "./windows.ts";

/** How the tokens of a window are compared. */
export interface Comparison {
  /** Shape [batch, windows, H, w², D], as the keys. */
  readonly query: Value;
  readonly key: Value;
  /** Added to the products of queries and keys, [1, H, w², w²]. */
  readonly bias: Value;
  /** What the products are multiplied by. @default 1 / √D */
  readonly scale?: number;
}

/** The keys of what is dropped in training after a part of a layer. */
export type SwinDropout = "hidden_dropout_prob" | "attention_probs_dropout_prob";

/** Where an encoder of this kind differs from another. */
export interface SwinVariant {
  /** How probable it is that what attention makes is dropped. */
  readonly attendedDropout: SwinDropout;
  /** Whether stochastic depth takes the feed-forward part too. */
  readonly dropsFeedForward: boolean;
  /** Whether what a part adds is normalised (Swin v2), or what it is given. */
  readonly postNorm: boolean;
  /** Whether a normalisation follows the last stage. */
  readonly finalNorm: boolean;
  /** Whether keys have a bias where queries have one. */
  readonly keyBias: boolean;
  /** Whether absolute positions begin with a row for a class token that there is not. */
  readonly classPosition: boolean;
  /** Added to the scores of tokens of a shifted window that may not see one another. */
  readonly apart: number;
  /**
   * The rows, and columns, of a stage's windows, and whether every other layer shifts them.
   *
   * @param grid The stage's tokens.
   * @throws {ShapeError} If it cannot take such a grid.
   */
  windows(stage: number, grid: Grid): { readonly size: number; readonly shifts: boolean };
  /** Compare the tokens of a stage's windows. @param scope The place `attention.self` of a layer. */
  compare(scope: Scope, query: Value, key: Value, stage: number): Comparison;
}

/** An encoder of this kind, as its configuration has it. */
interface Swin {
  readonly variant: SwinVariant;
  readonly patches: Patches;
  /** The width of the first stage's tokens. */
  readonly embedding: number;
  readonly depths: readonly number[];
  readonly heads: readonly number[];
  readonly ratio: number;
  readonly bias: boolean;
  readonly activation: NamedActivation;
  readonly absolute: boolean;
  readonly epsilon: number;
  readonly masks: ShiftMasks;
  /** How probable it is that something is dropped in training. */
  readonly dropout: {
    readonly hidden: number;
    readonly attention: number;
    readonly attended: number;
    /** Stochastic depth, by layer over all stages. */
    readonly paths: (layer: number) => number;
  };
}

/** The rows, and columns, of a window. @throws {ConfigError} If the pairs of its positions are more than a program holds. */
export function readWindow(config: ConfigReader): number {
  const window = config.whole("window_size");
  config.table(["window_size"], window ** 4);
  return window;
}

function readSwin(config: ConfigReader, variant: SwinVariant): Swin {
  const embedding = config.whole("embed_dim");
  const depths = config.layersPerStage("depths");
  const heads = config.perStage("num_heads", 1, depths.length);
  heads.forEach((count, stage) => config.headWidth(embedding * 2 ** stage, count, `num_heads[${stage}]`));
  const count = depths.reduce((sum, depth) => sum + depth, 0);
  return {
    variant,
    patches: readPatches(config),
    embedding,
    depths,
    heads,
    ratio: config.number("mlp_ratio"),
    bias: config.flag("qkv_bias"),
    activation: config.choice("hidden_act", activationNames),
    absolute: config.flag("use_absolute_embeddings"),
    epsilon: config.epsilon("layer_norm_eps"),
    masks: shiftMasks(readWindow(config), variant.apart),
    dropout: {
      hidden: config.probability("hidden_dropout_prob"),
      attention: config.probability("attention_probs_dropout_prob"),
      attended: config.probability(variant.attendedDropout),
      paths: risingPaths(config.probability("drop_path_rate"), count),
    },
  };
}

/** Build an encoder of this kind. */
export function buildSwin(config: ConfigReader, variant: SwinVariant): VisionEncoder {
  const swin = readSwin(config, variant);
  const { patches, embedding, depths } = swin;
  return {
    hiddenSize: config.following("hidden_size", embedding * 2 ** (depths.length - 1), "embed_dim and depths"),
    channels: patches.channels,
    imageSize: patches.imageSize,
    places(size) {
      const merged = 2 ** (depths.length - 1);
      const grid = gridOf(gridOf(size, patches.patch, Math.ceil), [merged, merged], Math.ceil);
      return { special: 0, grid, cell: [patches.patch[0] * merged, patches.patch[1] * merged] };
    },
    encode(scope, pixelValues, { interpolate = false } = {}) {
      let { x, grid } = embed(scope.at("embeddings"), swin, pixelValues, interpolate);
      const hiddenStates = [x];
      let before = 0;
      depths.forEach((depth, stage) => {
        const place = scope.at(`encoder.layers.${stage}`);
        for (let n = 0; n < depth; n++) {
          const path = swin.dropout.paths(before++);
          x = layer(place.at(`blocks.${n}`), swin, x, { stage, grid, shifted: n % 2 === 1, path });
        }
        if (stage < depths.length - 1) {
          x = merge(place.at("downsample"), swin, x, grid);
          grid = [Math.ceil(grid[0] / 2), Math.ceil(grid[1] / 2)];
        }
        hiddenStates.push(x);
      });
      return { lastHiddenState: variant.finalNorm ? scope.layerNorm("layernorm", x, swin.epsilon) : x, hiddenStates };
    },
  };
}

/** [batch, windows, w², C] to the same, each token seeing its window. */
function windowAttention(
  scope: Scope,
  { variant, heads, bias, dropout }: Swin,
  x: Value,
  { stage, groups }: { stage: number; groups: readonly WindowGroup[] },
): Value {
  const count = heads[stage];
  const [batch, windows, area, width] = x.shape as [Dimension, number, number, number];
  const own = scope.at("self");
  const project = (name: string, bias: boolean) =>
    transpose(
      reshape(own.linear(name, x, width, { bias }), { shape: [batch, windows, area, count, width / count] }),
      { permutation: [0, 1, 3, 2, 4] },
    );
  const projected = [project("query", bias), project("key", bias && variant.keyBias)] as const;
  const { query, key, bias: offsets, scale } = variant.compare(own, ...projected, stage);
  const value = project("value", bias);
  let start = 0;
  const contexts = groups.map(({ count: among, mask }) => {
    const cut = [batch, among, count, area, width / count];
    const folded = { shape: [multiplyDimensions(batch, among), count, area, width / count] };
    const part = (x: Value) => reshape(slice(x, { starts: [0, start, 0, 0, 0], sizes: cut }), folded);
    const addend = mask ? add(offsets, scope.builder.constant(mask)) : offsets;
    const compared = { query: part(query), key: part(key), value: part(value) };
    const options = { mask: addend, scale, drop: dropout.attention };
    const context = scope.attention(`self.dropout.${start}`, compared, options);
    start += among;
    return reshape(context, { shape: cut });
  });
  const joined = reshape(transpose(concat(contexts, { axis: 1 }), { permutation: [0, 1, 3, 2, 4] }), {
    shape: x.shape,
  });
  return scope.dropout("output.dropout", scope.linear("output.dense", joined, width), dropout.attended);
}

/** [batch, rows · columns, C] to the same. */
function layer(
  scope: Scope,
  swin: Swin,
  x: Value,
  { stage, grid, shifted, path }: { stage: number; grid: Grid; shifted: boolean; path: number },
): Value {
  const { variant, epsilon, masks, ratio, activation, dropout } = swin;
  const [batch, , width] = x.shape as [Dimension, number, number];
  const { size, shifts } = variant.windows(stage, grid);
  /** x plus what a part makes of it. */
  const residual = (norm: string, x: Value, path: number, part: (x: Value) => Value) => {
    const made = variant.postNorm ? scope.layerNorm(norm, part(x), epsilon) : part(scope.layerNorm(norm, x, epsilon));
    return add(x, scope.dropPath(`${norm}.drop_path`, made, path));
  };
  x = residual("layernorm_before", x, path, (x) => {
    const attended = attendInWindows(
      reshape(x, { shape: [batch, ...grid, width] }),
      size,
      shifted && shifts ? masks : undefined,
      (windows, groups) => windowAttention(scope.at("attention"), swin, windows, { stage, groups }),
    );
    return reshape(attended, { shape: x.shape });
  });
  return residual("layernorm_after", x, variant.dropsFeedForward ? path : 0, (x) => {
    const inner = scope.linear("intermediate.dense", x, Math.trunc(ratio * width), { activation });
    return scope.dropout("output.dropout", scope.linear("output.dense", inner, width), dropout.hidden);
  });
}

/** Each 2 × 2 tokens become one of double width. */
function merge(scope: Scope, { variant }: Swin, x: Value, [rows, columns]: Grid): Value {
  const [batch, , width] = x.shape as [Dimension, number, number];
  const [down, across] = [Math.ceil(rows / 2), Math.ceil(columns / 2)];
  const grid = padGrid(reshape(x, { shape: [batch, rows, columns, width] }), [down * 2, across * 2]);
  const cut = reshape(grid, { shape: [batch, down, 2, across, 2, width] });
  // The four tokens in the order (row, column): (0, 0), (1, 0), (0, 1), (1, 1).
  const joined = reshape(transpose(cut, { permutation: [0, 1, 3, 4, 2, 5] }), {
    shape: [batch, down * across, 4 * width],
  });
  const reduce = (x: Value) => scope.linear("reduction", x, 2 * width, { bias: false });
  return variant.postNorm ? scope.layerNorm("norm", reduce(joined)) : reduce(scope.layerNorm("norm", joined));
}

/** Absolute positions added to the patches' [batch, S, C]. */
function addPositions(
  scope: Scope,
  { variant, patches, embedding }: Swin,
  x: Value,
  { pictures, grid, interpolate }: { pictures: Value; grid: Grid; interpolate: boolean },
): Value {
  const learned = { grid: patches.grid, special: variant.classPosition ? 1 : 0, width: embedding };
  if (!interpolate) checkPatchCount(pictures, grid, patches);
  const positions = interpolate
    ? stretchedPositions(scope, learned, pictureSize(pictures), grid)
    : learnedPositions(scope, learned);
  // The reference stumbles over the row for a class token.
  const sizes = [1, grid[0] * grid[1], embedding];
  return add(x, variant.classPosition ? slice(positions, { starts: [0, 1, 0], sizes }) : positions);
}

/** The tokens of the first stage, [batch, S, C], and their grid. */
function embed(scope: Scope, swin: Swin, pixelValues: Value, interpolate: boolean): { x: Value; grid: Grid } {
  const { patches, embedding, absolute } = swin;
  const [height, width] = pictureSize(pixelValues);
  const [rows, columns] = gridOf([height, width], patches.patch, Math.ceil);
  const ending = [0, 0, rows * patches.patch[0] - height, columns * patches.patch[1] - width];
  const whole = ending.some(Boolean) ? pad(pixelValues, { beginning: [0, 0, 0, 0], ending }) : pixelValues;
  const { tokens, grid } = embedPatches(scope, whole, patches, embedding);
  const x = scope.layerNorm("norm", tokens);
  const placed = absolute ? addPositions(scope, swin, x, { pictures: pixelValues, grid, interpolate }) : x;
  return { x: scope.dropout("dropout", placed, swin.dropout.hidden), grid };
}

/** How new parameters are filled where their names do not say it. */
export const initialSwin = (name: string) =>
  name === "embeddings.position_embeddings" || name.endsWith("relative_position_bias_table") ? zeros : undefined;

/** The width of the last stage and the number of stages, where they can be told. */
export function deriveSwin({ embed_dim, depths }: Fields): Record<string, unknown> {
  if (typeof embed_dim !== "number" || !Array.isArray(depths)) return {};
  return { hidden_size: embed_dim * 2 ** (depths.length - 1), num_layers: depths.length };
}

/** Other names of fields. */
export const swinAliases = { num_attention_heads: "num_heads", num_hidden_layers: "num_layers" };

/** The defaults that encoders of this kind share. */
export const swinDefaults = {
  ...commonDefaults,
  image_size: 224,
  patch_size: 4,
  num_channels: 3,
  embed_dim: 96,
  depths: [2, 2, 6, 2],
  num_heads: [3, 6, 12, 24],
  window_size: 7,
  mlp_ratio: 4.0,
  qkv_bias: true,
  hidden_dropout_prob: 0.0,
  attention_probs_dropout_prob: 0.0,
  drop_path_rate: 0.1,
  hidden_act: "gelu",
  use_absolute_embeddings: false,
  initializer_range: 0.02,
  layer_norm_eps: 1e-05,
};
