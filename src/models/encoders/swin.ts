// The Swin Transformer (Liu et al. 2021), as transformers.SwinModel, and Donut's (Kim et al. 2021), which Nougat has too, as
// transformers.DonutSwinModel: windows with a learned bias for each pair of positions.
import { ShapeError } from "../../errors/mod.ts";
import type { Value } from "../../graph/mod.ts";
import { gather, reshape, transpose } from "../../operators/mod.ts";
import { type ConfigReader, deriveStages } from "../config/config_reader.ts";
import type { Family, VisionEncoder } from "../family.ts";
import { relativeOffsets, relativePositionIndex } from "./relative_positions.ts";
import type { Scope } from "../scope.ts";
import { buildSwin, deriveSwin, initialSwin, readWindow, swinAliases, swinDefaults } from "./swin_layers.ts";
import type { Grid } from "./windows.ts";

/** A Swin; Donut's has no normalisation at the end, and a row of positions for a class token. */
function build(config: ConfigReader, { donut }: { donut: boolean }): VisionEncoder {
  const window = readWindow(config);
  const index = relativePositionIndex([window, window]);

  function windows(stage: number, [rows, columns]: Grid): { size: number; shifts: boolean } {
    const smallest = Math.min(rows, columns);
    if (smallest >= window) return { size: window, shifts: smallest > window };
    throw new ShapeError(
      `Cannot encode these pictures: stage ${stage}'s grid of ${rows} × ${columns} is smaller than the window of ` +
        `${window} × ${window} (patch_size is ${config.whole("patch_size")}, window_size is ${window})`,
      { op: "encode" },
    );
  }

  /** The learned bias of each pair of positions, [1, H, w², w²]. */
  function pairBias(scope: Scope, heads: number): Value {
    const table = scope.parameter("relative_position_bias_table", [relativeOffsets([window, window]), heads]);
    const pairs = gather(table, scope.builder.constant(index), { axis: 0 });
    const bias = transpose(pairs, { permutation: [2, 0, 1] });
    return reshape(bias, { shape: [1, ...bias.shape] });
  }

  return buildSwin(config, {
    postNorm: false,
    attendedDropout: donut ? "attention_probs_dropout_prob" : "hidden_dropout_prob",
    dropsFeedForward: false,
    finalNorm: !donut,
    keyBias: true,
    classPosition: donut,
    apart: -100,
    windows,
    compare: (scope, query, key) => ({ query, key, bias: pairBias(scope, query.shape[2] as number) }),
  });
}

/** Swin. */
export const swin: Family<VisionEncoder> = {
  defaults: {
    ...swinDefaults,
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
  aliases: swinAliases,
  derive: (config, given) => ({
    ...deriveSwin(config),
    ...(Array.isArray(config.depths) && deriveStages(given, config.depths.length)),
  }),
  initial: initialSwin,
};

/** Donut's Swin; Transformers writes its indices still, and Swin's no more. */
export const donutSwin: Family<VisionEncoder> = {
  defaults: { ...swinDefaults, model_type: "donut-swin" },
  basePrefix: "donut",
  aliases: swinAliases,
  derive: deriveSwin,
  build(config) {
    const encoder = build(config, { donut: true });
    const window = readWindow(config);
    const index = relativePositionIndex([window, window]);
    const names = config.perStage("depths", 0).flatMap((depth, stage) =>
      Array.from(
        { length: depth },
        (_, n) => `encoder.layers.${stage}.blocks.${n}.attention.self.relative_position_index`,
      )
    );
    return { ...encoder, buffers: () => new Map(names.map((name) => [name, index])) };
  },
  initial: initialSwin,
};
