// TrOCR's decoder (Li et al. 2021), as transformers.TrOCRForCausalLM: post-norm layers, learned or sinusoidal positions.
import { addDimensions, type Value } from "../graph/mod.ts";
import { add, attention, cast, cumulativeSum, equal, gather, mul, range, reshape, sub } from "../operators/mod.ts";
import { Tensor } from "../tensor/mod.ts";
import type { ConfigReader } from "./config.ts";
import type { DecoderInputs, Family, TextDecoder } from "./family.ts";
import { activationNames, joinHeads, splitHeads } from "./heads.ts";
import type { Scope } from "./scope.ts";

/** Learned positions begin at this row of their table. */
const positionOffset = 2;

/**
 * The sinusoidal table of tensor2tensor: a row is sin and then cos of its position, in halves; that of pad is zero.
 *
 * @returns Shape [rows, width].
 */
export function sinusoidalTable(rows: number, width: number, padding: number): Tensor {
  const half = Math.floor(width / 2);
  const data = new Float32Array(rows * width);
  // float32 throughout, as PyTorch computes it.
  const step = Math.fround(Math.log(10000) / (half - 1));
  for (let row = 0; row < rows; row++) {
    if (row === padding) continue;
    for (let i = 0; i < half; i++) {
      const angle = Math.fround(row * Math.fround(Math.exp(Math.fround(-i * step))));
      data[row * width + i] = Math.sin(angle);
      data[row * width + half + i] = Math.cos(angle);
    }
  }
  return new Tensor("float32", [rows, width], data);
}

function build(config: ConfigReader): TextDecoder {
  const hiddenSize = config.whole("d_model");
  const vocabularySize = config.whole("vocab_size");
  const layers = config.whole("decoder_layers");
  const heads = config.whole("decoder_attention_heads");
  const intermediate = config.whole("decoder_ffn_dim");
  const activation = config.choice("activation_function", activationNames);
  const padding = config.whole("pad_token_id", 0);
  const learned = config.flag("use_learned_position_embeddings");
  const maxPositions = config.whole("max_position_embeddings");
  const headWidth = config.headWidth(hiddenSize, heads, "decoder_attention_heads");

  /** The rows of the position table for the tokens, [rows, T] or [T]. */
  function positions({ ids, past }: DecoderInputs): Value {
    const { builder } = ids;
    if (learned) return range(builder, { size: ids.shape[1], start: addDimensions(past, positionOffset) });
    // Pads are not counted and stay at the pad's own row: (Σ seen + past) · seen + pad.
    const whole = { dataType: "int64" } as const;
    const seen = sub(builder.scalar(1, "int64"), cast(equal(ids, builder.scalar(padding, "int64")), whole));
    const before = reshape(range(builder, { size: 1, start: past }), { shape: [1, 1] });
    const counted = mul(add(cumulativeSum(seen, { axis: 1 }), before), seen);
    return add(counted, builder.scalar(padding, "int64"));
  }

  function embed(scope: Scope, inputs: DecoderInputs): Value {
    const { builder } = scope;
    const [rows, T] = inputs.ids.shape;
    const table = scope.parameter("embed_tokens.weight", [vocabularySize, hiddenSize]);
    let x = gather(table, inputs.ids, { axis: 0 });
    if (config.flag("scale_embedding")) x = mul(x, builder.scalar(Math.sqrt(hiddenSize)));
    const positionTable = learned
      ? scope.parameter("embed_positions.weight", [maxPositions + positionOffset, hiddenSize])
      : builder.constant(sinusoidalTable(maxPositions + padding + 1, hiddenSize, padding));
    const placed = gather(positionTable, positions(inputs), { axis: 0 });
    x = add(x, learned ? reshape(placed, { shape: [1, T, hiddenSize] }) : placed);
    x = reshape(x, { shape: [rows, T, hiddenSize] });
    return config.flag("layernorm_embedding") ? scope.layerNorm("layernorm_embedding", x) : x;
  }

  function layer(scope: Scope, x: Value, n: number, inputs: DecoderInputs): Value {
    const toHeads = (name: string) => splitHeads(scope.linear(name, x, hiddenSize), heads);
    const { keys, values } = inputs.append(n, {
      keys: toHeads("self_attn.k_proj"),
      values: toHeads("self_attn.v_proj"),
    });
    const self = attention(toHeads("self_attn.q_proj"), keys, values, { causal: true, length: inputs.length });
    x = add(x, scope.linear("self_attn.out_proj", joinHeads(self), hiddenSize));
    x = scope.layerNorm("self_attn_layer_norm", x);
    const query = splitHeads(scope.linear("encoder_attn.q_proj", x, hiddenSize), heads);
    const cross = attention(query, inputs.cross[n].keys, inputs.cross[n].values);
    x = add(x, scope.linear("encoder_attn.out_proj", joinHeads(cross), hiddenSize));
    x = scope.layerNorm("encoder_attn_layer_norm", x);
    const inner = scope.linear("fc1", x, intermediate, { activation });
    return scope.layerNorm("final_layer_norm", add(x, scope.linear("fc2", inner, hiddenSize)));
  }

  return {
    hiddenSize,
    vocabularySize,
    layers,
    heads,
    headWidth,
    maxPositions,
    crossKeysValues(scope, encoderStates) {
      return Array.from({ length: layers }, (_, n) => {
        const at = scope.at(`model.decoder.layers.${n}.encoder_attn`);
        const toHeads = (name: string) => splitHeads(at.linear(name, encoderStates, hiddenSize), heads);
        return { keys: toHeads("k_proj"), values: toHeads("v_proj") };
      });
    },
    decode(scope, inputs) {
      const decoder = scope.at("model.decoder");
      let x = embed(decoder, inputs);
      const hiddenStates = [x];
      for (let n = 0; n < layers; n++) hiddenStates.push(x = layer(decoder.at(`layers.${n}`), x, n, inputs));
      return { lastHiddenState: x, hiddenStates };
    },
    logits(scope, states) {
      const tied = config.flag("tie_word_embeddings");
      return tied
        ? scope.linear("model.decoder.embed_tokens", states, vocabularySize, { bias: false })
        : scope.linear("output_projection", states, vocabularySize, { bias: false });
    },
  };
}

/** TrOCR. */
export const trocr: Family<TextDecoder> = {
  defaults: {
    model_type: "trocr",
    vocab_size: 50265,
    d_model: 1024,
    decoder_layers: 12,
    decoder_attention_heads: 16,
    decoder_ffn_dim: 4096,
    activation_function: "gelu",
    max_position_embeddings: 512,
    dropout: 0.1,
    attention_dropout: 0.0,
    activation_dropout: 0.0,
    decoder_start_token_id: 2,
    init_std: 0.02,
    decoder_layerdrop: 0.0,
    use_cache: true,
    scale_embedding: false,
    use_learned_position_embeddings: true,
    layernorm_embedding: true,
    pad_token_id: 1,
    bos_token_id: 0,
    eos_token_id: 2,
    cross_attention_hidden_size: null,
    is_decoder: false,
    tie_word_embeddings: true,
  },
  build,
};
