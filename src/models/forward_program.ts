// The whole model as one program without caches: the encoder, and the decoder on given tokens. It is what `forward` runs
// and what training differentiates.
import { type Graph, GraphBuilder, type Value } from "../graph/mod.ts";
import { crossEntropy } from "../operators/mod.ts";
import { attentionsOf } from "./decoders/decoder_attention.ts";
import { Scope, type ScopeContext } from "./scope.ts";
import { type Architecture, projectStates } from "./vision_encoder_decoder.ts";

/** What a forward program computes. */
export interface ForwardOptions {
  /** The pictures' height and width, in pixels; without it the encoder's states are given. */
  readonly size?: readonly [height: number, width: number];
  /** Whether positions are stretched to the pictures. @default false */
  readonly interpolate?: boolean;
  /** Whether labels are given, and the loss wanted, and how much of a label's weight is spread. @default false */
  readonly loss?: boolean | { readonly labelSmoothing: number };
  /** Whether the encoder's states are wanted. @default true */
  readonly states?: boolean;
  /** Whether the logits are wanted. @default true */
  readonly logits?: boolean;
  /** Whether a mask over the tokens is given. @default false */
  readonly mask?: boolean;
  /** Whether every layer's states are wanted. @default false */
  readonly hiddenStates?: boolean;
  /** Whether the probabilities of the decoder's attentions are wanted. @default false */
  readonly attentions?: boolean;
  /** Whether what the configuration says is dropped, as in training. @default false */
  readonly dropout?: boolean;
}

/**
 * The forward program.
 *
 * Inputs `pixelValues` [batch, channels, height, width] (or `encoderStates` [batch, sources, C]), `decoderInputIds`
 * [batch, T] int64, and where asked for `decoderMask` [batch, 1, T, T] (added to the products of queries and keys) and
 * `labels` [batch, T] int64. Outputs `encoderStates`, `logits` [batch, T, V], and where asked for `loss` (a scalar),
 * `encoderHiddenStates.N`, `decoderHiddenStates.N`, `decoderAttentions.N` [batch, H, T, T] and `crossAttentions.N`
 * [batch, H, T, S].
 *
 * With `dropout`, the input `dropoutKey` [2] int64 makes all that is dropped: what `randomKey(seed, step)` gives, a new one
 * for every step. It is no input where the configuration drops nothing.
 *
 * @throws {ConfigError} With `dropout`, if whole layers are to be left out (`decoder_layerdrop`).
 */
export function buildForward(architecture: Architecture, options: ForwardOptions = {}): Graph {
  const { encoder, decoder } = architecture;
  const context: ScopeContext = { ...architecture, dropout: options.dropout };
  const builder = new GraphBuilder("forward");
  let states: Value;
  if (options.size) {
    const pixelValues = builder.input("pixelValues", "float32", ["batch", encoder.channels, ...options.size]);
    const encoded = encoder.encode(new Scope(builder, "encoder", context), pixelValues, {
      interpolate: options.interpolate,
    });
    states = encoded.lastHiddenState;
    if (options.states ?? true) builder.output("encoderStates", states);
    if (options.hiddenStates) {
      encoded.hiddenStates.forEach((value, n) => builder.output(`encoderHiddenStates.${n}`, value));
    }
  } else {
    states = builder.input("encoderStates", "float32", ["batch", "sources", encoder.hiddenSize]);
  }
  const scope = new Scope(builder, "decoder", context);
  const cross = decoder.crossKeysValues(scope, projectStates(architecture, states));
  const ids = builder.input("decoderInputIds", "int64", ["batch", "T"]);
  const mask = options.mask ? builder.input("decoderMask", "float32", ["batch", 1, "T", "T"]) : undefined;
  const observe = options.attentions
    ? (kind: "self" | "cross", n: number, weights: Value) =>
      builder.output(`${kind === "self" ? "decoder" : "cross"}Attentions.${n}`, weights)
    : undefined;
  const { lastHiddenState, hiddenStates } = decoder.decode(scope, {
    ids,
    past: 0,
    ...attentionsOf({ cross, mask, observe }),
  });
  if (options.hiddenStates) hiddenStates.forEach((value, n) => builder.output(`decoderHiddenStates.${n}`, value));
  const logits = decoder.logits(scope, lastHiddenState);
  if (options.logits ?? true) builder.output("logits", logits);
  if (options.loss) {
    const labels = builder.input("labels", "int64", ["batch", "T"]);
    const smoothing = typeof options.loss === "object" ? options.loss : undefined;
    builder.output("loss", crossEntropy(logits, labels, smoothing));
  }
  return builder.build();
}
