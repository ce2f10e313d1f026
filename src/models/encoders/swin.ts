// The Swin Transformer (Liu et al. 2021), as transformers.SwinModel and DonutSwinModel: attention within windows.
import { ShapeError } from "../../errors/mod.ts";
import { type Dimension, multiplyDimensions, type Value } from "../../graph/mod.ts";
import { add, attention, concat, gather, pad, reshape, slice, transpose } from "../../operators/mod.ts";
import { commonDefaults, type ConfigReader, deriveStages, type Fields } from "../config/config_reader.ts";
import type { Family, VisionEncoder } from "../family.ts";
import { activationNames } from "../activations.ts";
import { zeros } from "../parameters/initial_values.ts";
import { embedPatches, gridOf, learnedPositions, pictureSize, readPatches, stretchedPositions } from "./patches.ts";
import { relativeOffsets, relativePositionIndex } from "./relative_positions.ts";
import type { Scope } from "../scope.ts";
import { attendInWindows, type Grid, padGrid, shiftMasks, type WindowGroup } from "./windows.ts";

/** A Swin; Donut's has no normalisation at the end, and writes more to its files. */
function build(config: ConfigReader, { donut }: { donut: boolean }): VisionEncoder {
  const patches = readPatches(config);
  const embedding = config.whole("embed_dim");
  const depths = config.layersPerStage("depths");
  const heads = config.perStage("num_heads", 1, depths.length);
  const window = config.whole("window_size");
  config.table(["window_size"], window ** 4);
  const ratio = config.number("mlp_ratio");
  const bias = config.flag("qkv_bias");
  const activation = config.choice("hidden_act", activationNames);
  const absolute = config.flag("use_absolute_embeddings");
  const epsilon = config.number("layer_norm_eps");
  const hiddenSize = embedding * 2 ** (depths.length - 1);
  const positionIndex = relativePositionIndex([window, window]);
  const masks = shiftMasks(window);
  heads.forEach((count, stage) => config.headWidth(embedding * 2 ** stage, count, `num_heads[${stage}]`));

  /** [batch, windows, w², C] to the same, each token seeing its window. */
  function windowAttention(scope: Scope, x: Value, count: number, groups: readonly WindowGroup[]): Value {
    const [batch, windows, area, width] = x.shape as [Dimension, number, number, number];
    const own = scope.at("self");
    const table = own.parameter("relative_position_bias_table", [relativeOffsets([window, window]), count]);
    const offsets = reshape(
      transpose(gather(table, scope.builder.constant(positionIndex), { axis: 0 }), { permutation: [2, 0, 1] }),
      { shape: [1, count, area, area] },
    );
    const project = (name: string) =>
      transpose(
        reshape(own.linear(name, x, width, { bias }), { shape: [batch, windows, area, count, width / count] }),
        { permutation: [0, 1, 3, 2, 4] },
      );
    const [query, key, value] = ["query", "key", "value"].map(project);
    let start = 0;
    const contexts = groups.map(({ count: among, mask }) => {
      const cut = [batch, among, count, area, width / count];
      const folded = { shape: [multiplyDimensions(batch, among), count, area, width / count] };
      const part = (x: Value) => reshape(slice(x, { starts: [0, start, 0, 0, 0], sizes: cut }), folded);
      const addend = mask ? add(offsets, scope.builder.constant(mask)) : offsets;
      const context = attention(part(query), part(key), part(value), { mask: addend });
      start += among;
      return reshape(context, { shape: cut });
    });
    const joined = reshape(transpose(concat(contexts, { axis: 1 }), { permutation: [0, 1, 3, 2, 4] }), {
      shape: x.shape,
    });
    return scope.linear("output.dense", joined, width);
  }

  /** [batch, rows · columns, C] to the same. */
  function layer(
    scope: Scope,
    x: Value,
    { grid: [rows, columns], count, shifted }: { grid: Grid; count: number; shifted: boolean },
  ): Value {
    const [batch, , width] = x.shape as [Dimension, number, number];
    const smallest = Math.min(rows, columns);
    if (smallest < window) {
      throw new ShapeError(
        `Cannot encode these pictures: a stage's grid of ${rows} × ${columns} is smaller than the window of ` +
          `${window} × ${window}`,
        { op: "encode", label: scope.prefix },
      );
    }
    const normal = reshape(scope.layerNorm("layernorm_before", x, epsilon), { shape: [batch, rows, columns, width] });
    const attended = attendInWindows(
      normal,
      window,
      shifted && smallest > window ? masks : undefined,
      (windows, groups) => windowAttention(scope.at("attention"), windows, count, groups),
    );
    x = add(x, reshape(attended, { shape: x.shape }));
    const inner = scope.linear(
      "intermediate.dense",
      scope.layerNorm("layernorm_after", x, epsilon),
      Math.trunc(ratio * width),
      { activation },
    );
    return add(x, scope.linear("output.dense", inner, width));
  }

  /** Each 2 × 2 tokens become one of double width. */
  function merge(scope: Scope, x: Value, [rows, columns]: Grid): Value {
    const [batch, , width] = x.shape as [Dimension, number, number];
    const [down, across] = [Math.ceil(rows / 2), Math.ceil(columns / 2)];
    const grid = padGrid(reshape(x, { shape: [batch, rows, columns, width] }), [down * 2, across * 2]);
    const cut = reshape(grid, { shape: [batch, down, 2, across, 2, width] });
    // The four tokens in the order (row, column): (0, 0), (1, 0), (0, 1), (1, 1).
    const joined = reshape(transpose(cut, { permutation: [0, 1, 3, 4, 2, 5] }), {
      shape: [batch, down * across, 4 * width],
    });
    return scope.linear("reduction", scope.layerNorm("norm", joined), 2 * width, { bias: false });
  }

  /** Absolute positions added to the patches' [batch, S, C]. */
  function addPositions(scope: Scope, x: Value, pictures: Value, grid: Grid, interpolate: boolean): Value {
    const learned = { grid: patches.grid, special: donut ? 1 : 0, width: embedding };
    const count = grid[0] * grid[1];
    if (!interpolate && count !== patches.grid[0] * patches.grid[1]) {
      throw new ShapeError(
        `Cannot encode pictures of ${pictureSize(pictures).join(" × ")}: the encoder has positions for ${
          patches.grid.join(" × ")
        } patches, these have ${grid.join(" × ")}; interpolatePosEncoding lets it take others`,
        { op: "encode", shapes: [pictures.shape] },
      );
    }
    const positions = interpolate
      ? stretchedPositions(scope, learned, pictureSize(pictures), grid)
      : learnedPositions(scope, learned);
    // Donut's have a row for a class token that there is not, over which the reference stumbles.
    return add(x, donut ? slice(positions, { starts: [0, 1, 0], sizes: [1, count, embedding] }) : positions);
  }

  function embed(scope: Scope, pixelValues: Value, interpolate: boolean): { x: Value; grid: Grid } {
    const [height, width] = pictureSize(pixelValues);
    const [rows, columns] = gridOf([height, width], patches.patch, Math.ceil);
    const ending = [0, 0, rows * patches.patch[0] - height, columns * patches.patch[1] - width];
    const whole = ending.some(Boolean) ? pad(pixelValues, { beginning: [0, 0, 0, 0], ending }) : pixelValues;
    const { tokens, grid } = embedPatches(scope, whole, patches, embedding);
    const x = scope.layerNorm("norm", tokens);
    return { x: absolute ? addPositions(scope, x, pixelValues, grid, interpolate) : x, grid };
  }

  return {
    hiddenSize,
    channels: patches.channels,
    imageSize: patches.imageSize,
    places(size) {
      const merged = 2 ** (depths.length - 1);
      const grid = gridOf(gridOf(size, patches.patch, Math.ceil), [merged, merged], Math.ceil);
      return { special: 0, grid, cell: [patches.patch[0] * merged, patches.patch[1] * merged] };
    },
    encode(scope, pixelValues, { interpolate = false } = {}) {
      let { x, grid } = embed(scope.at("embeddings"), pixelValues, interpolate);
      const hiddenStates = [x];
      depths.forEach((depth, stage) => {
        const place = scope.at(`encoder.layers.${stage}`);
        for (let n = 0; n < depth; n++) {
          x = layer(place.at(`blocks.${n}`), x, { grid, count: heads[stage], shifted: n % 2 === 1 });
        }
        if (stage < depths.length - 1) {
          x = merge(place.at("downsample"), x, grid);
          grid = [Math.ceil(grid[0] / 2), Math.ceil(grid[1] / 2)];
        }
        hiddenStates.push(x);
      });
      return { lastHiddenState: donut ? x : scope.layerNorm("layernorm", x, epsilon), hiddenStates };
    },
    // Transformers writes Donut's indices still, and Swin's no more.
    buffers: () =>
      new Map(
        !donut ? [] : depths.flatMap((depth, stage) =>
          Array.from({ length: depth }, (_, n) =>
            [
              `encoder.layers.${stage}.blocks.${n}.attention.self.relative_position_index`,
              positionIndex,
            ] as const)
        ),
      ),
  };
}

const initial = (name: string) =>
  name === "embeddings.position_embeddings" || name.endsWith("relative_position_bias_table") ? zeros : undefined;

/** The width of the last stage and the number of stages, where they can be told. */
function derive({ embed_dim, depths }: Fields): Record<string, unknown> {
  if (typeof embed_dim !== "number" || !Array.isArray(depths)) return {};
  return { hidden_size: embed_dim * 2 ** (depths.length - 1), num_layers: depths.length };
}

const aliases = { num_attention_heads: "num_heads", num_hidden_layers: "num_layers" };

/** The defaults that Swin and Donut-Swin share. */
const shared = {
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

/** Swin. */
export const swin: Family<VisionEncoder> = {
  defaults: {
    ...shared,
    model_type: "swin",
    encoder_stride: 32,
  },
  basePrefix: "swin",
  inMemory: [
    [/\.attention\.self\.query\./, ".attention.q_proj."],
    [/\.attention\.self\.key\./, ".attention.k_proj."],
    [/\.attention\.self\.value\./, ".attention.v_proj."],
    [
      /\.attention\.self\.relative_position_bias_table$/,
      ".attention.relative_position_bias.relative_position_bias_table",
    ],
    [/\.attention\.output\.dense\./, ".attention.o_proj."],
    [/\.intermediate\.dense\./, ".mlp.fc1."],
    [/\.output\.dense\./, ".mlp.fc2."],
  ],
  build: (config) => build(config, { donut: false }),
  aliases,
  derive: (config, given) => ({
    ...derive(config),
    ...(Array.isArray(config.depths) && deriveStages(given, config.depths.length)),
  }),
  initial,
};

/** Donut's Swin (Kim et al. 2021), which Nougat has too: no normalisation at the end. */
export const donutSwin: Family<VisionEncoder> = {
  defaults: { ...shared, model_type: "donut-swin" },
  basePrefix: "donut",
  aliases,
  derive,
  build: (config) => build(config, { donut: true }),
  initial,
};
