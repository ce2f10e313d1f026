// What a family of encoders or decoders is: a function of its configuration that can write its part of a program.
import type { Dimension, Value } from "../graph/mod.ts";
import type { ConfigReader, PretrainedConfig } from "./config.ts";
import type { Scope } from "./scope.ts";

/** What an encoder writes. */
export interface EncoderOutputs {
  /** Shape [batch, S, hiddenSize], before `enc_to_dec_proj`. */
  readonly lastHiddenState: Value;
  /** The embeddings' output and each layer's. */
  readonly hiddenStates: readonly Value[];
}

/** A vision encoder of given configuration. */
export interface VisionEncoder {
  /** The width C of its hidden states. */
  readonly hiddenSize: number;
  /** The channels of its pictures. */
  readonly channels: number;
  /** The pictures' height and width that it was made for, in pixels. */
  readonly imageSize: readonly [height: number, width: number];
  /**
   * Write the encoder into a graph.
   *
   * @param scope Its place in the checkpoint.
   * @param pixelValues Shape [batch, channels, height, width].
   * @throws {ShapeError} If it cannot take pictures of this size.
   */
  encode(scope: Scope, pixelValues: Value): EncoderOutputs;
}

/** Keys and values of one attention layer, each [batch, H, S, D]. */
export interface KeysValues {
  readonly keys: Value;
  readonly values: Value;
}

/** What a decoder is given to write a step. */
export interface DecoderInputs {
  /** The tokens of this run, [rows, T], int64. */
  readonly ids: Value;
  /** The position of the first of them. */
  readonly past: Dimension;
  /** For each layer the encoder's keys and values. */
  readonly cross: readonly KeysValues[];
  /** Append keys and values [rows, H, T, D] of a layer to its cache and return all of them. */
  readonly append: (layer: number, current: KeysValues) => KeysValues;
  /** The number of positions in use after appending. */
  readonly length: Dimension;
}

/** What a decoder writes. */
export interface DecoderOutputs {
  /** Shape [rows, T, hiddenSize]. */
  readonly lastHiddenState: Value;
  /** The embeddings' output and each layer's. */
  readonly hiddenStates: readonly Value[];
}

/** A text decoder with cross-attention, of given configuration. */
export interface TextDecoder {
  readonly hiddenSize: number;
  readonly vocabularySize: number;
  readonly layers: number;
  readonly heads: number;
  /** The width D of a head. */
  readonly headWidth: number;
  /** The most positions it can tell apart; undefined where there is no such limit. */
  readonly maxPositions: number | undefined;
  /** Write the keys and values of the encoder's states [batch, S, C] for each layer: once a picture. */
  crossKeysValues(scope: Scope, encoderStates: Value): KeysValues[];
  /** Write the decoder without its head. */
  decode(scope: Scope, inputs: DecoderInputs): DecoderOutputs;
  /** Write the head: states [rows, T, hiddenSize] to logits [rows, T, vocabularySize]. */
  logits(scope: Scope, states: Value): Value;
}

/** A family of models: the defaults of its configuration and how one is made of it. */
export interface Family<M> {
  /** Hugging Face's defaults, with config.json's keys. */
  readonly defaults: PretrainedConfig;
  /** @throws {ConfigError} If a field cannot work. */
  build(config: ConfigReader): M;
}
