// Small models with random parameters, wide enough to be quantised.
import {
  defaultConfig,
  type LoadOptions,
  type PretrainedConfig,
  VisionEncoderDecoderConfig,
  VisionEncoderDecoderModel,
} from "../../mod.ts";
import { FfiBackend } from "../../backends/ffi/backend.ts";
import { findLibrary } from "../../backends/ffi/library.ts";
import { Runtime } from "../../backends/ffi/runtime.ts";
import { numbers } from "../conformance/repeatable_numbers.ts";

const vit = { image_size: 32, patch_size: 16, hidden_size: 32, num_hidden_layers: 2, num_attention_heads: 2 };
const ids = { bos_token_id: 0, eos_token_id: 1, pad_token_id: 1, vocab_size: 48 };
const special = { decoder_start_token_id: 0, pad_token_id: 1, eos_token_id: 1 };

function joined(encoder: PretrainedConfig, decoder: PretrainedConfig): VisionEncoderDecoderConfig {
  return VisionEncoderDecoderConfig.fromEncoderDecoderConfigs(encoder, decoder, special);
}

/** A tied head over Conv1D layers; a head of its own; and layers that compute positions. */
export const quantizedConfigs = {
  gpt2: joined(
    defaultConfig("vit", { ...vit, intermediate_size: 64 }),
    defaultConfig("gpt2", { ...ids, n_embd: 32, n_layer: 2, n_head: 2, n_positions: 24, activation_function: "gelu" }),
  ),
  trocr: joined(
    defaultConfig("deit", { ...vit, intermediate_size: 64 }),
    defaultConfig("trocr", {
      ...{ ...ids, d_model: 48, decoder_layers: 2, decoder_attention_heads: 2, decoder_ffn_dim: 64 },
      ...{ max_position_embeddings: 24, cross_attention_hidden_size: 32, tie_word_embeddings: false },
    }),
  ),
  swinv2: joined(
    defaultConfig("swinv2", {
      ...{ image_size: 32, patch_size: 4, embed_dim: 16, depths: [1, 1], num_heads: [1, 2], window_size: 4 },
    }),
    defaultConfig("bert", {
      ...{ vocab_size: 48, hidden_size: 32, num_hidden_layers: 2, num_attention_heads: 2, intermediate_size: 64 },
      ...{ max_position_embeddings: 24, pad_token_id: 1 },
    }),
  ),
};

/** One of them with new parameters, always the same. */
export function quantizedModel(
  name: keyof typeof quantizedConfigs,
  options: LoadOptions,
): Promise<VisionEncoderDecoderModel> {
  return VisionEncoderDecoderModel.fromConfig(quantizedConfigs[name], { ...options, seed: 4 });
}

/** What they are given. */
export const inputs = { pixelValues: numbers(1, 1, 3, 32, 32), decoderInputIds: [[0, 5, 17, 40, 3]] };

/** The ffi backend with float32 products in programs of many rows, on every processor. */
export async function exactFfi(): Promise<FfiBackend> {
  return new FfiBackend(Runtime.open(await findLibrary({}), {}), "CPU", undefined, { blocks: "decoded" });
}
