// Swin v2 (Liu et al. 2022), as transformers.Swinv2Model: Swin normalised after its parts, which compares queries and keys
// by the cosine of their angle, and makes the bias of two positions of how far they are apart, on a logarithmic scale.
import { ConfigError } from "../../errors/mod.ts";
import type { Value } from "../../graph/mod.ts";
import {
  div,
  exp,
  gather,
  greaterOrEqual,
  mul,
  reduceSum,
  reshape,
  sigmoid,
  sqrt,
  transpose,
  where,
} from "../../operators/mod.ts";
import { Tensor } from "../../tensor/mod.ts";
import { atMost } from "../activations.ts";
import { type ConfigReader, deriveStages } from "../config/config_reader.ts";
import type { Family, VisionEncoder } from "../family.ts";
import { readPatches } from "./patches.ts";
import { relativePositionIndex } from "./relative_positions.ts";
import type { Scope } from "../scope.ts";
import { buildSwin, deriveSwin, initialSwin, readWindow, swinAliases, swinDefaults } from "./swin_layers.ts";

/** The width of the layer that makes a bias of two offsets. */
const biasWidth = 512;
/** The largest factor of a cosine. */
const largestScale = 100;

/**
 * The offsets between two positions of a window of w × w, sign · log₂(1 + 8 · |offset| / largest) / log₂ 8 of each.
 *
 * @param pretrained The window that the layer was first trained with, of which the largest offset is; 0: this one.
 * @returns Shape [(2w − 1)², 2].
 */
export function logOffsets(window: number, pretrained: number): Tensor {
  const side = 2 * window - 1;
  const largest = (pretrained || window) - 1;
  const data = new Float32Array(side * side * 2);
  const scaled = (offset: number) => {
    // float32 throughout, as PyTorch computes it.
    const share = Math.fround(Math.fround(offset / Math.max(largest, 1)) * 8);
    return Math.sign(share) * Math.fround(Math.log2(Math.abs(share) + 1)) / 3;
  };
  for (let row = 0; row < side; row++) {
    for (let column = 0; column < side; column++) {
      data[2 * (row * side + column)] = scaled(row - window + 1);
      data[2 * (row * side + column) + 1] = scaled(column - window + 1);
    }
  }
  return new Tensor("float32", [side * side, 2], data);
}

/** Vectors of length 1 along the last axis (torch.nn.functional.normalize); those of no length stay so. */
function normalize(x: Value): Value {
  const squares = reduceSum(mul(x, x), { axes: [-1], keepDimensions: true });
  const smallest = x.builder.scalar(1e-24);
  return div(x, sqrt(where(greaterOrEqual(squares, smallest), squares, smallest)));
}

/** The windows that each stage was first trained with. @throws {ConfigError} If they cannot work. */
function pretrainedWindows(config: ConfigReader, stages: number): number[] {
  if ((config.values.pretrained_window_sizes ?? null) === null) return Array(stages).fill(0);
  const sizes = config.perStage("pretrained_window_sizes", 0).slice(0, stages);
  if (sizes.length === stages && !sizes.includes(1)) return sizes;
  const key = `${config.path}.pretrained_window_sizes`;
  throw new ConfigError(
    `Cannot build the ${config.path}: ${key} is ${
      JSON.stringify(sizes)
    }, expected ${stages} whole numbers that are 0 or ` +
      "at least 2",
    key,
  );
}

function build(config: ConfigReader): VisionEncoder {
  const window = readWindow(config);
  const stages = config.perStage("depths", 0).length;
  const pretrained = pretrainedWindows(config, stages);
  const { grid: [rows] } = readPatches(config);
  if (rows < 2 ** (stages - 1)) {
    throw new ConfigError(
      `Cannot build the ${config.path}: ${config.path}.image_size gives ${rows} rows of patches, expected at least ` +
        `${2 ** (stages - 1)} for ${stages} stages`,
      `${config.path}.image_size`,
    );
  }
  // A window is never larger than the stage's rows in pictures of the size that the encoder was made for.
  const windows = Array.from({ length: stages }, (_, stage) => {
    const own = Math.floor(rows / 2 ** stage);
    const size = Math.min(own, window);
    return {
      size,
      shifts: own > window,
      offsets: logOffsets(size, pretrained[stage]),
      index: relativePositionIndex([size, size]),
    };
  });

  /** The bias of each pair of positions, [1, H, w², w²]. */
  function pairBias(scope: Scope, heads: number, stage: number): Value {
    const { builder } = scope;
    const [offsets, index] = [windows[stage].offsets, windows[stage].index].map((one) => builder.constant(one));
    const inner = scope.linear("continuous_position_bias_mlp.0", offsets, biasWidth, { activation: "relu" });
    const table = sigmoid(scope.linear("continuous_position_bias_mlp.2", inner, heads, { bias: false }));
    const pairs = gather(mul(table, builder.scalar(16)), index, { axis: 0 });
    const bias = transpose(pairs, { permutation: [2, 0, 1] });
    return reshape(bias, { shape: [1, ...bias.shape] });
  }

  return buildSwin(config, {
    postNorm: true,
    attendedDropout: "attention_probs_dropout_prob",
    dropsFeedForward: true,
    finalNorm: true,
    keyBias: false,
    classPosition: true,
    apart: -200, // the reference adds its mask twice
    windows: (stage) => windows[stage],
    compare(scope, query, key, stage) {
      const heads = query.shape[2] as number;
      const factor = exp(atMost(scope.parameter("logit_scale", [heads, 1, 1]), Math.log(largestScale)));
      return {
        query: mul(normalize(query), factor),
        key: normalize(key),
        bias: pairBias(scope, heads, stage),
        scale: 1,
      };
    },
  });
}

/** Swin v2. */
export const swinv2: Family<VisionEncoder> = {
  defaults: {
    ...swinDefaults,
    model_type: "swinv2",
    pretrained_window_sizes: [0, 0, 0, 0],
    encoder_stride: 32,
  },
  basePrefix: "swinv2",
  build,
  aliases: swinAliases,
  derive: (config, given) => ({
    ...deriveSwin(config),
    ...(Array.isArray(config.depths) && deriveStages(given, config.depths.length)),
  }),
  initial: (name) => name.endsWith("logit_scale") ? { kind: "constant", value: Math.log(10) } : initialSwin(name),
};
