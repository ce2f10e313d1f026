// What a family of encoders or decoders is: a function of its configuration that can write its part of a program.
import type { Dimension, Value } from "../graph/mod.ts";
import type { Tensor } from "../tensor/mod.ts";
import type { ConfigReader, Fields, PretrainedConfig } from "./config/config_reader.ts";
import type { Initial } from "./parameters/initial_values.ts";
import type { Scope } from "./scope.ts";

/** What an encoder writes. */
export interface EncoderOutputs {
  /** Shape [batch, S, hiddenSize], before `enc_to_dec_proj`. */
  readonly lastHiddenState: Value;
  /** The embeddings' output and each layer's (each stage's for Swin). */
  readonly hiddenStates: readonly Value[];
}

/** How an encoder takes pictures of other sizes than its own. */
export interface EncodeOptions {
  /** Whether learned positions are stretched to the picture's grid (`interpolate_pos_encoding`). @default false */
  readonly interpolate?: boolean;
}

/** Where the S states of an encoder lie in its picture: special ones first, then those of a grid's cells, row by row. */
export interface EncoderPlaces {
  /** How many states stand for no place: class and distillation tokens. */
  readonly special: number;
  readonly grid: readonly [rows: number, columns: number];
  /** The pixels of a cell; the last ones of a row or column may reach beyond the picture, or leave a rest of it out. */
  readonly cell: readonly [height: number, width: number];
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
  encode(scope: Scope, pixelValues: Value, options?: EncodeOptions): EncoderOutputs;
  /** Where the states of pictures of a size lie. */
  places(size: readonly [height: number, width: number]): EncoderPlaces;
  /** Declare the parameters that files have and no program reads: poolers and mask tokens. */
  declareUnused?(scope: Scope): void;
  /** The constants that Transformers writes beside the parameters, by their name below the encoder. */
  buffers?(): ReadonlyMap<string, Tensor>;
}

/** Keys and values of one attention layer, each [batch, H, S, D]. */
export interface KeysValues {
  readonly keys: Value;
  readonly values: Value;
}

/** What an attention of a decoder may have of its own. */
export interface AttendOptions {
  /** What the products of queries and keys are multiplied by. @default 1 / √D */
  readonly scale?: number;
  /** Drops from the probabilities. @default nothing is dropped */
  readonly drop?: (probabilities: Value) => Value;
}

/** What a decoder is given to write a step. */
export interface DecoderInputs {
  /** The tokens of this run, [rows, T], int64. */
  readonly ids: Value;
  /** The position of the first of them: of all rows, or of each, [rows], int64. */
  readonly past: Dimension | Value;
  /** Attend causally with queries [rows, H, T, D] to all positions so far, of which `current` are the last. */
  selfAttention(layer: number, query: Value, current: KeysValues, options?: AttendOptions): Value;
  /** Attend with queries [rows, H, T, D] to the encoder's keys and values of a layer. */
  crossAttention(layer: number, query: Value, options?: AttendOptions): Value;
}

/** What a decoder writes. */
export interface DecoderOutputs {
  /** Shape [rows, T, hiddenSize]. */
  readonly lastHiddenState: Value;
  /** The embeddings' output and each layer's; the last is the last hidden state. */
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
  /** The token that positions do not count, where there is one: the pad of fairseq's decoders. */
  readonly uncountedToken?: number;
  /** Write the keys and values of the encoder's states [batch, S, C] for each layer: once a picture. */
  crossKeysValues(scope: Scope, encoderStates: Value): KeysValues[];
  /** Write the decoder without its head. */
  decode(scope: Scope, inputs: DecoderInputs): DecoderOutputs;
  /**
   * The parameters that are others, unless `tie_word_embeddings` is false or a file holds both and they differ: the name
   * that is kept by the name that is tied to it, below the decoder (`_tied_weights_keys`).
   */
  readonly ties: Readonly<Record<string, string>>;
  /** Write the head: states [rows, T, hiddenSize] to logits [rows, T, vocabularySize]. */
  logits(scope: Scope, states: Value): Value;
  /** Declare the parameters that files have and no program reads. */
  declareUnused?(scope: Scope): void;
}

/** A part of a name as files have it, and as another writer has it: several where that one keeps a parameter in parts. */
export type Renaming = readonly [from: RegExp, to: string | readonly string[]];

/** A family of models: the defaults of its configuration and how one is made of it. */
export interface Family<M> {
  /** Hugging Face's defaults, with config.json's keys. */
  readonly defaults: PretrainedConfig;
  /** Other names of fields, which Transformers takes for them (`attribute_map`). */
  readonly aliases?: Readonly<Record<string, string>>;
  /** Fields that Python takes for whole numbers, though those of the same name are fractions elsewhere. @default none */
  readonly wholeNumbers?: readonly string[];
  /**
   * The fields that follow from others where they are not given.
   *
   * @param config All fields, defaults filled in.
   * @param given Those that are not defaults.
   */
  derive?(config: Fields, given: Fields): Record<string, unknown>;
  /** Where separate checkpoints put the model without a head, such as `bert`. */
  readonly basePrefix: string;
  /**
   * What Transformers 5 calls the parameters in memory, where it does not write them so: all renamings, one after another.
   * Adapters have these names.
   */
  readonly inMemory?: readonly Renaming[];
  /** What other writers call the parameters, such as earlier versions: each all its renamings. */
  readonly otherNames?: readonly (readonly Renaming[])[];
  /** @throws {ConfigError} If a field cannot work. */
  build(config: ConfigReader): M;
  /**
   * How a new parameter is filled where its name does not say it (see `initial_values.ts`).
   *
   * @param name The name below `encoder.` or `decoder.`.
   */
  initial?(name: string, config: ConfigReader, shape: readonly number[]): Initial | undefined;
}
