// BEiT (Bao et al. 2021), as transformers.BeitModel: a ViT with relative positions, layer scale and keys without a bias. And
// Data2Vec's vision encoder (Baevski et al. 2022), as transformers.Data2VecVisionModel: BEiT by another name, without pooler.
import type { Value } from "../../graph/mod.ts";
import { add, concat, gather, reshape, slice, transpose } from "../../operators/mod.ts";
import { type ConfigReader, deriveStages } from "../config/config_reader.ts";
import type { Family, VisionEncoder } from "../family.ts";
import { type Initial, zeros } from "../parameters/initial_values.ts";
import { embedPatches, patchPlaces, pictureSize, readPatches, stretchedPositions } from "./patches.ts";
import { relativeOffsets, relativePositionIndex } from "./relative_positions.ts";
import { resampleGrid } from "./position_resampling.ts";
import type { Scope } from "../scope.ts";
import {
  prependTokens,
  readVisionDropout,
  readVisionLayers,
  risingPaths,
  visionDefaults,
  visionLayer,
  type VisionLayers,
  vitLayerNames,
} from "./vision_layers.ts";
import { vitInMemory } from "./vit.ts";

/** ViT's sizes, and stochastic depth. */
function readSizes(config: ConfigReader): VisionLayers {
  const paths = risingPaths(config.probability("drop_path_rate"), config.layers("num_hidden_layers", 0));
  return readVisionLayers(config, { dropout: { ...readVisionDropout(config), paths } });
}

function build(config: ConfigReader, { pooler }: { pooler: boolean }): VisionEncoder {
  const sizes = readSizes(config);
  const patches = readPatches(config);
  const absolute = config.flag("use_absolute_position_embeddings");
  const relative = config.flag("use_relative_position_bias");
  const shared = config.flag("use_shared_relative_position_bias");
  const pooled = config.flag("use_mean_pooling");
  const scaled = config.number("layer_scale_init_value") > 0;
  const names = { ...vitLayerNames, ...(scaled && { scales: ["lambda_1", "lambda_2"] as const }) };
  const { hiddenSize, heads, layers, epsilon, dropout } = sizes;
  if (relative || shared) config.table(["image_size", "patch_size"], (patches.grid[0] * patches.grid[1] + 1) ** 2);

  /** The bias of each pair of positions for a grid, [1, H, S, S]; the table's patch part is stretched bilinearly. */
  function relativeBias(scope: Scope, grid: readonly [number, number]): Value {
    const offsets = relativeOffsets(patches.grid);
    const table = scope.parameter("relative_position_bias_table", [offsets + 3, heads]);
    const part = (start: number, size: number) => slice(table, { starts: [start, 0], sizes: [size, heads] });
    const span = ([height, width]: readonly [number, number]) => [2 * height - 1, 2 * width - 1] as [number, number];
    // The reference reads the learned grid with its sides exchanged, which only matters where they differ.
    const learned = span(patches.grid).reverse() as [number, number];
    const wanted = span(grid);
    const used = learned.join() === wanted.join()
      ? table
      : concat([resampleGrid(part(0, offsets), learned, wanted, "bilinear"), part(offsets, 3)], { axis: 0 });
    const index = scope.builder.constant(relativePositionIndex(grid, { classToken: true }));
    const bias = transpose(gather(used, index, { axis: 0 }), { permutation: [2, 0, 1] });
    return reshape(bias, { shape: [1, ...bias.shape] });
  }

  return {
    hiddenSize,
    channels: patches.channels,
    imageSize: patches.imageSize,
    // Pictures of any size are taken, with or without `interpolate`, as the reference does.
    encode(scope, pixelValues) {
      const embeddings = scope.at("embeddings");
      const { tokens, grid } = embedPatches(embeddings, pixelValues, patches, hiddenSize);
      let x = prependTokens(embeddings, ["cls_token"], tokens);
      const learned = { grid: patches.grid, special: 1, width: hiddenSize };
      if (absolute) x = add(x, stretchedPositions(embeddings, learned, pictureSize(pixelValues), grid));
      x = embeddings.dropout("dropout", x, dropout.embeddings);
      const common = shared ? relativeBias(scope.at("encoder.relative_position_bias"), grid) : undefined;
      const hiddenStates = [x];
      for (let n = 0; n < layers; n++) {
        const layer = scope.at(`encoder.layer.${n}`);
        const own = relative ? relativeBias(layer.at("attention.attention.relative_position_bias"), grid) : undefined;
        const mask = own && common ? add(own, common) : own ?? common;
        hiddenStates.push(x = visionLayer(layer, x, sizes, { n, names, bias: { queryValue: true, key: false }, mask }));
      }
      return { lastHiddenState: pooled ? x : scope.layerNorm("layernorm", x, epsilon), hiddenStates };
    },
    places: (size) => patchPlaces(size, patches, 1),
    declareUnused(scope) {
      if (config.flag("use_mask_token")) scope.parameter("embeddings.mask_token", [1, 1, hiddenSize]);
      if (!pooled || !pooler) return;
      scope.parameter("pooler.layernorm.weight", [hiddenSize]);
      scope.parameter("pooler.layernorm.bias", [hiddenSize]);
    },
  };
}

function initial(name: string, config: ConfigReader): Initial | undefined {
  if (/^embeddings\.(cls_token|mask_token|position_embeddings)$/.test(name)) return zeros;
  if (name.endsWith("relative_position_bias_table")) return zeros;
  if (/\.lambda_[12]$/.test(name)) return { kind: "constant", value: config.number("layer_scale_init_value") };
}

/** The defaults that BEiT and Data2Vec share. */
const shared = {
  ...visionDefaults,
  use_mask_token: false,
  use_absolute_position_embeddings: false,
  use_relative_position_bias: false,
  use_shared_relative_position_bias: false,
  layer_scale_init_value: 0.1,
  drop_path_rate: 0.1,
  use_mean_pooling: true,
  pool_scales: [1, 2, 3, 6],
  use_auxiliary_head: true,
  auxiliary_loss_weight: 0.4,
  auxiliary_channels: 256,
  auxiliary_num_convs: 1,
  auxiliary_concat_input: false,
  semantic_loss_ignore_index: 255,
};

/** BEiT. */
export const beit: Family<VisionEncoder> = {
  defaults: { ...shared, model_type: "beit", vocab_size: 8192, add_fpn: false, reshape_hidden_states: true },
  basePrefix: "beit",
  inMemory: [
    ...vitInMemory,
    [/\.attention\.attention\.relative_position_bias\./, ".relative_position_bias."],
    [/^encoder\.relative_position_bias\./, "shared_position_bias."],
  ],
  aliases: { segmentation_indices: "out_indices" },
  build: (config) => build(config, { pooler: true }),
  derive: ({ num_hidden_layers }, given) =>
    typeof num_hidden_layers === "number" ? deriveStages(given, num_hidden_layers) : {},
  initial,
};

/** Data2Vec's vision encoder. */
export const data2vecVision: Family<VisionEncoder> = {
  defaults: { ...shared, model_type: "data2vec-vision", out_indices: [3, 5, 7, 11] },
  basePrefix: "data2vec_vision",
  build: (config) => build(config, { pooler: false }),
  initial,
};
