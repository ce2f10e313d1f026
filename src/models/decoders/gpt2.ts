// GPT-2 with cross-attention (Radford et al. 2019), as transformers.GPT2LMHeadModel: pre-norm layers of Conv1D weights.
import type { Value } from "../../graph/mod.ts";
import { add, gather, split } from "../../operators/mod.ts";
import { commonDefaults, type ConfigReader } from "../config/config_reader.ts";
import type { DecoderInputs, Family, TextDecoder } from "../family.ts";
import { activationNames } from "../activations.ts";
import { joinHeads, splitHeads } from "../heads.ts";
import type { Initial } from "../parameters/initial_values.ts";
import { countedPositions } from "./token_positions.ts";
import type { Scope } from "../scope.ts";

/** One product for several projections to C = `width`, [batch, S, parts · C], cut and split into heads. */
function projectHeads(
  scope: Scope,
  name: string,
  x: Value,
  { parts, width, heads }: { parts: number; width: number; heads: number },
): Value[] {
  const joined = scope.conv1d(name, x, parts * width);
  if (parts === 1) return [splitHeads(joined, heads)];
  return split(joined, { splits: Array(parts).fill(width), axis: -1 }).map((part) => splitHeads(part, heads));
}

/** What a configuration says. */
function readSizes(config: ConfigReader) {
  const hiddenSize = config.whole("n_embd");
  const heads = config.whole("n_head");
  const intermediate = config.values.n_inner === null ? 4 * hiddenSize : config.whole("n_inner");
  config.sizes.set("n_inner", intermediate);
  const headWidth = config.headWidth(hiddenSize, heads, "n_head");
  // `reorder_and_upcast_attn` asks for float32, which it is anyway.
  const scale = config.flag("scale_attn_weights") ? 1 / Math.sqrt(headWidth) : 1;
  return {
    hiddenSize,
    heads,
    headWidth,
    vocabularySize: config.whole("vocab_size"),
    layers: config.layers("n_layer"),
    maxPositions: config.whole("n_positions"),
    intermediate,
    activation: config.choice("activation_function", activationNames),
    epsilon: config.epsilon("layer_norm_epsilon"),
    scaleOf: (n: number) => config.flag("scale_attn_by_inverse_layer_idx") ? scale / (n + 1) : scale,
    /** How probable it is in training that the embeddings, probabilities, and what a part adds, are dropped. */
    dropout: {
      embeddings: config.probability("embd_pdrop"),
      attention: config.probability("attn_pdrop"),
      added: config.probability("resid_pdrop"),
    },
  };
}

function build(config: ConfigReader): TextDecoder {
  const sizes = readSizes(config);
  const { hiddenSize, heads, headWidth, vocabularySize, layers, maxPositions, intermediate, activation } = sizes;
  const { epsilon, scaleOf, dropout } = sizes;

  const project = (scope: Scope, name: string, x: Value, parts: number) =>
    projectHeads(scope, name, x, { parts, width: hiddenSize, heads });

  function layer(scope: Scope, x: Value, n: number, inputs: DecoderInputs): Value {
    const optionsAt = (place: string) => ({
      scale: scaleOf(n),
      drop: scope.attentionDropout(`${place}.attn_dropout`, dropout.attention),
    });
    const output = (name: string, x: Value) =>
      scope.dropout(`${name}.dropout`, scope.conv1d(name, x, hiddenSize), dropout.added);
    const [query, keys, values] = project(scope.at("attn"), "c_attn", scope.layerNorm("ln_1", x, epsilon), 3);
    const self = inputs.selfAttention(n, query, { keys, values }, optionsAt("attn"));
    x = add(x, output("attn.c_proj", joinHeads(self)));
    const [asking] = project(scope.at("crossattention"), "q_attn", scope.layerNorm("ln_cross_attn", x, epsilon), 1);
    const cross = inputs.crossAttention(n, asking, optionsAt("crossattention"));
    x = add(x, output("crossattention.c_proj", joinHeads(cross)));
    const inner = scope.conv1d("mlp.c_fc", scope.layerNorm("ln_2", x, epsilon), intermediate, { activation });
    return add(x, output("mlp.c_proj", inner));
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
        const at = scope.at(`transformer.h.${n}.crossattention`);
        const [keys, values] = project(at, "c_attn", encoderStates, 2);
        return { keys, values };
      });
    },
    decode(scope, inputs) {
      const decoder = scope.at("transformer");
      const words = gather(decoder.parameter("wte.weight", [vocabularySize, hiddenSize]), inputs.ids, { axis: 0 });
      const positions = countedPositions(decoder.parameter("wpe.weight", [maxPositions, hiddenSize]), inputs);
      let x = decoder.dropout("drop", add(words, positions), dropout.embeddings);
      const hiddenStates = [x];
      for (let n = 0; n < layers; n++) hiddenStates.push(x = layer(decoder.at(`h.${n}`), x, n, inputs));
      hiddenStates[layers] = x = decoder.layerNorm("ln_f", x, epsilon);
      return { lastHiddenState: x, hiddenStates };
    },
    ties: { "lm_head.weight": "transformer.wte.weight" },
    logits(scope, states) {
      return scope.linear("lm_head", states, vocabularySize, { bias: false });
    },
  };
}

/** What is added to the residual stream begins smaller, by the number of additions. */
function initial(name: string, config: ConfigReader): Initial | undefined {
  if (!name.endsWith("c_proj.weight")) return undefined;
  return { kind: "normal", deviation: config.number("initializer_range") / Math.sqrt(2 * config.whole("n_layer")) };
}

/** GPT-2. */
export const gpt2: Family<TextDecoder> = {
  defaults: {
    ...commonDefaults,
    model_type: "gpt2",
    vocab_size: 50257,
    n_positions: 1024,
    n_embd: 768,
    n_layer: 12,
    n_head: 12,
    n_inner: null,
    activation_function: "gelu_new",
    resid_pdrop: 0.1,
    embd_pdrop: 0.1,
    attn_pdrop: 0.1,
    layer_norm_epsilon: 1e-05,
    initializer_range: 0.02,
    summary_type: "cls_index",
    summary_use_proj: true,
    summary_activation: null,
    summary_proj_to_labels: true,
    summary_first_dropout: 0.1,
    scale_attn_weights: true,
    use_cache: true,
    bos_token_id: 50256,
    eos_token_id: 50256,
    pad_token_id: null,
    scale_attn_by_inverse_layer_idx: false,
    reorder_and_upcast_attn: false,
    add_cross_attention: false,
    tie_word_embeddings: true,
  },
  basePrefix: "transformer",
  aliases: {
    hidden_size: "n_embd",
    max_position_embeddings: "n_positions",
    num_attention_heads: "n_head",
    num_hidden_layers: "n_layer",
  },
  build,
  initial,
};
