// A VisionEncoderDecoder model as three programs: encode (once a picture), crossKeysValues (once a picture) and decode.
import { ConfigError } from "../errors/mod.ts";
import { type Builder, type CacheType, type Dimension, type Graph, GraphBuilder, type Value } from "../graph/mod.ts";
import { cacheAppend, cast, lengthsAfter, reshape, slice, takeRowPositions } from "../operators/mod.ts";
import { attentionsOf } from "./decoders/decoder_attention.ts";
import type { LoraAdapter } from "./lora/lora_adapter.ts";
import type { KeysValues, TextDecoder, VisionEncoder } from "./family.ts";
import { defaultLimits, type Limits } from "../limits/mod.ts";
import type { ConfigReader } from "./config/config_reader.ts";
import { decoders, encoders, readSection } from "./registry.ts";
import { Scope } from "./scope.ts";
import type { VisionEncoderDecoderConfig } from "./config/vision_encoder_decoder_config.ts";

/** An encoder and a decoder that fit together. */
export interface Architecture {
  readonly encoder: VisionEncoder;
  readonly decoder: TextDecoder;
  /** Whether `enc_to_dec_proj` stands between them. */
  readonly projects: boolean;
  /** The tied parameters: the name that is kept by the name that is tied to it. */
  readonly ties: ReadonlyMap<string, string>;
  /** The configuration's numbers that parameters' shapes follow from, by their key, such as `decoder.vocab_size`. */
  readonly sizes: ReadonlyMap<string, number | readonly number[]>;
  /** Those that say how many layers there are. */
  readonly layerCounts: ReadonlyMap<string, number>;
  /** The most that whoever uses it may ask for. */
  readonly limits: Limits;
  /** What is added to its fully connected layers. */
  readonly adapter?: LoraAdapter;
}

/**
 * The encoder and the decoder that a configuration describes; it ties what `decoder.tie_word_embeddings` says.
 *
 * @param limits The most that it may ask for.
 * @throws {ConfigError} If a section is missing, unknown or cannot work, or the two do not fit.
 * @throws {LimitError} If it asks for more than is allowed.
 */
export function architectureOf(config: VisionEncoderDecoderConfig, limits: Limits = defaultLimits): Architecture {
  const [seeing, writing] = [
    readSection(encoders, config.encoder, "encoder", limits),
    readSection(decoders, config.decoder, "decoder", limits),
  ];
  const encoder = seeing.family.build(seeing.reader);
  const decoder = writing.family.build(writing.reader);
  for (const { reader } of [seeing, writing]) reader.checkUnread();
  const cross = config.decoder.cross_attention_hidden_size ?? null;
  if (cross !== null && cross !== encoder.hiddenSize) {
    throw new ConfigError(
      `Cannot build the model: decoder.cross_attention_hidden_size is ${JSON.stringify(cross)}, ` +
        `but the encoder's hidden size is ${encoder.hiddenSize}`,
      "decoder.cross_attention_hidden_size",
    );
  }
  const tied = writing.reader.flag("tie_word_embeddings");
  const ties = tied ? Object.entries(decoder.ties) : [];
  return {
    encoder,
    decoder,
    projects: cross === null && encoder.hiddenSize !== decoder.hiddenSize,
    ties: new Map(ties.map(([name, kept]) => [`decoder.${name}`, `decoder.${kept}`])),
    sizes: joined(seeing.reader, writing.reader, "sizes"),
    layerCounts: joined(seeing.reader, writing.reader, "layerCounts"),
    limits,
  };
}

/** What two readers noted, by the keys of the whole. */
function joined<K extends "sizes" | "layerCounts">(
  encoder: ConfigReader,
  decoder: ConfigReader,
  noted: K,
): ConfigReader[K] {
  const entries = [encoder, decoder].flatMap((reader) =>
    [...reader[noted]].map(([key, value]) => [`${reader.path}.${key}`, value] as const)
  );
  return new Map(entries) as ConfigReader[K];
}

/**
 * The encoder's program for pictures of one size.
 *
 * Input `pixelValues` [batch, channels, height, width]; output `encoderStates` [batch, S, C] and, if asked for,
 * `hiddenStates.N`.
 */
export function buildEncode(
  architecture: Architecture,
  [height, width]: readonly [number, number],
  options: { hiddenStates?: boolean; interpolate?: boolean } = {},
): Graph {
  const { encoder } = architecture;
  const builder = new GraphBuilder("encode");
  const pixelValues = builder.input("pixelValues", "float32", ["batch", encoder.channels, height, width]);
  const { lastHiddenState, hiddenStates } = encoder.encode(new Scope(builder, "encoder", architecture), pixelValues, {
    interpolate: options.interpolate,
  });
  builder.output("encoderStates", lastHiddenState);
  if (options.hiddenStates) hiddenStates.forEach((value, n) => builder.output(`hiddenStates.${n}`, value));
  return builder.build();
}

/** The encoder's states as the decoder reads them: through `enc_to_dec_proj` where the widths ask for it. */
export function projectStates(architecture: Architecture, states: Value): Value {
  if (!architecture.projects) return states;
  const scope = new Scope(states.builder, "", architecture);
  return scope.linear("enc_to_dec_proj", states, architecture.decoder.hiddenSize);
}

/** The name under which programs pass a layer's keys or values of the encoder. */
const crossName = (kind: keyof KeysValues, layer: number) => `cross.${kind}.${layer}`;
/** The name of a layer's cache of keys or values. */
const cacheName = (kind: keyof KeysValues, layer: number) => `self.${kind}.${layer}`;

/** Keys or values as caches hold them, or as attention computes with them. */
const as = (dataType: CacheType, x: Value) => x.dataType === dataType ? x : cast(x, { dataType });

/**
 * The program of the encoder's keys and values, once a picture.
 *
 * Input `encoderStates` [batch, sources, C]; outputs `cross.keys.N` and `cross.values.N` [batch, H, sources, D].
 *
 * @param options.cacheType The type of the outputs. @default "float32"
 */
export function buildCrossKeysValues(
  architecture: Architecture,
  { cacheType = "float32" }: { cacheType?: CacheType } = {},
): Graph {
  const { encoder, decoder } = architecture;
  const builder = new GraphBuilder("crossKeysValues");
  const given = builder.input("encoderStates", "float32", ["batch", "sources", encoder.hiddenSize]);
  const states = projectStates(architecture, given);
  decoder.crossKeysValues(new Scope(builder, "decoder", architecture), states).forEach(({ keys, values }, n) => {
    builder.output(crossName("keys", n), as(cacheType, keys));
    builder.output(crossName("values", n), as(cacheType, values));
  });
  return builder.build();
}

/**
 * Where each row begins in a run, [rows], int64: input `past` [steps, rows] says it for several runs, this one being the run
 * `at`.
 */
export function positionsOfStep(builder: Builder, rows: Dimension): Value {
  const ofSteps = builder.input("past", "int64", ["steps", rows]);
  return reshape(slice(ofSteps, { starts: ["at", 0], sizes: [1, rows] }), { shape: [rows] });
}

/**
 * The decoder's program, for a prompt (T > 1) as for a step (T = 1). What is made of its logits is another program's
 * matter (buildSelectionProgram in src/generation): so one program, and one copy of the weights, serves every use.
 *
 * rows = batch · beams. State `tokens` [rows, capacity] holds the ids; a run reads those from `past` on, T of them.
 * States `self.keys.N`, `self.values.N` [rows, H, capacity, D] are the cache; inputs `cross.*` come from
 * `buildCrossKeysValues`. Output `logits` [rows, L, V] is that of the last L of the T tokens.
 *
 * @param options.ownPositions Whether each row begins at a position of its own, as `positionsOfStep` has it; no row has more
 * than `length` positions, those of this run included. @default false
 * @param options.cacheType The type of the caches and of `cross.*`. @default "float32"
 */
export function buildDecode(
  architecture: Architecture,
  options: { hiddenStates?: boolean; ownPositions?: boolean; cacheType?: CacheType } = {},
): Graph {
  const { decoder } = architecture;
  const { cacheType = "float32" } = options;
  const builder = new GraphBuilder("decode");
  const scope = new Scope(builder, "decoder", architecture);
  const rows = "batch*beams";
  const { heads, headWidth, hiddenSize, layers } = decoder;
  const tokens = builder.state("tokens", "int64", [rows, "capacity"]);
  const past = options.ownPositions ? positionsOfStep(builder, rows) : undefined;
  const cross = Array.from({ length: layers }, (_, n): KeysValues => {
    const input = (kind: keyof KeysValues) =>
      as("float32", builder.input(crossName(kind, n), cacheType, ["batch", heads, "sources", headWidth]));
    return { keys: input("keys"), values: input("values") };
  });
  const append = (n: number, current: KeysValues): KeysValues => {
    const put = (kind: keyof KeysValues): Value => {
      const cache = builder.state(cacheName(kind, n), cacheType, [rows, heads, "capacity", headWidth]);
      return as("float32", cacheAppend(cache, as(cacheType, current[kind]), { axis: 2, at: past ?? "past" }));
    };
    return { keys: put("keys"), values: put("values") };
  };
  const { lastHiddenState, hiddenStates } = decoder.decode(scope, {
    ids: past
      ? takeRowPositions(tokens, { axis: 1, at: past, size: "T" })
      : slice(tokens, { starts: [0, "past"], sizes: [rows, "T"] }),
    past: past ?? "past",
    ...attentionsOf({
      cross,
      append,
      ...(past ? { length: "length", lengths: lengthsAfter(past, "T") } : { length: "past+T" }),
    }),
  });
  const last = slice(lastHiddenState, { starts: [0, "T-L", 0], sizes: [rows, "L", hiddenSize] });
  builder.output("logits", decoder.logits(scope, last));
  if (options.hiddenStates) hiddenStates.forEach((value, n) => builder.output(`hiddenStates.${n}`, value));
  return builder.build();
}
