// The decoder that BERT, RoBERTa, ELECTRA, DistilBERT and others share: attention to itself, to the picture, and a
// feed-forward part, post-norm or pre-norm, and a head that may transform before it predicts. Only names differ, and a few
// parts; the cross-attention has BERT's names in all of them.
import type { Value } from "../../graph/mod.ts";
import { add, gather, reshape, slice } from "../../operators/mod.ts";
import { applyActivation, type NamedActivation } from "../activations.ts";
import type { ConfigReader } from "../config/config_reader.ts";
import type { DecoderInputs, TextDecoder } from "../family.ts";
import { joinHeads, splitHeads } from "../heads.ts";
import type { Initial } from "../parameters/initial_values.ts";
import type { Scope } from "../scope.ts";

/** The sizes of a decoder of this kind, and where it differs from another. */
export interface BertVariant {
  readonly hiddenSize: number;
  readonly layers: number;
  readonly heads: number;
  readonly intermediate: number;
  readonly activation: NamedActivation;
  readonly epsilon: number;
  /** The rows of the table of positions. */
  readonly positionRows: number;
  readonly maxPositions: number;
  /** The rows of `token_type_embeddings`, or 0 where there are none. */
  readonly tokenTypes: number;
  /** The width of embeddings, projected to the states where that is another. @default hiddenSize */
  readonly embeddingSize?: number;
  /** The positions' rows of their table, [rows or 1, T, C]. */
  readonly positions: (table: Value, inputs: DecoderInputs) => Value;
  readonly dropout: BertDropout;
  readonly names: BertNames;
}

/** How probable it is that something is dropped in training. */
export interface BertDropout {
  /** Of the embeddings, and of what the parts of a layer add. */
  readonly hidden: number;
  readonly attention: number;
  /** Of what attention to itself adds. @default hidden */
  readonly attended?: number;
}

/** The names of files, below `decoder.`. */
export interface BertNames {
  /** The model without its head. */
  readonly base: string;
  /** Layer n is `${layers}.n` below the base. */
  readonly layers: string;
  /** Of a layer: attention to itself, to the picture, and the feed-forward part. */
  readonly query: string;
  readonly key: string;
  readonly value: string;
  readonly attended: string;
  readonly attendedNorm: string;
  readonly crossNorm: string;
  readonly inner: string;
  readonly outer: string;
  readonly outerNorm: string;
  /** The normalisation after all layers; where there is one, each part of a layer is pre-norm. @default post-norm */
  readonly finalNorm?: string;
  /** What the head does before it predicts. @default nothing */
  readonly transform?: HeadTransform;
  /** The head's bias, which `projection.bias` is tied to. */
  readonly headBias: string;
  readonly projection: string;
}

/** A dense layer, an activation and a normalisation, which states pass before a head predicts. */
export interface HeadTransform {
  readonly dense: string;
  readonly norm: string;
  /** @default the layers' */
  readonly activation?: NamedActivation;
}

/** The names of BERT's layers, which others have too. */
export const bertLayerNames = {
  layers: "encoder.layer",
  query: "attention.self.query",
  key: "attention.self.key",
  value: "attention.self.value",
  attended: "attention.output.dense",
  attendedNorm: "attention.output.LayerNorm",
  crossNorm: "crossattention.output.LayerNorm",
  inner: "intermediate.dense",
  outer: "output.dense",
  outerNorm: "output.LayerNorm",
};

/** Build a decoder of this kind. */
export function buildBertDecoder(config: ConfigReader, variant: BertVariant): TextDecoder {
  const { hiddenSize, layers, heads, activation, epsilon, names, embeddingSize = hiddenSize } = variant;
  const vocabularySize = config.whole("vocab_size");
  const headWidth = hiddenSize / heads;

  return {
    hiddenSize,
    vocabularySize,
    layers,
    heads,
    headWidth,
    maxPositions: variant.maxPositions,
    ties: {
      [`${names.projection}.weight`]: `${names.base}.embeddings.word_embeddings.weight`,
      ...(names.headBias !== `${names.projection}.bias` && { [`${names.projection}.bias`]: names.headBias }),
    },
    crossKeysValues(scope, encoderStates) {
      return Array.from({ length: layers }, (_, n) => {
        const at = scope.at(`${names.base}.${names.layers}.${n}.crossattention.self`);
        const project = (name: string) => splitHeads(at.linear(name, encoderStates, hiddenSize), heads);
        return { keys: project("key"), values: project("value") };
      });
    },
    decode(scope, inputs) {
      const base = scope.at(names.base);
      let x = embed(base.at("embeddings"), variant, vocabularySize, inputs);
      if (embeddingSize !== hiddenSize) x = base.linear("embeddings_project", x, hiddenSize);
      const hiddenStates = [x];
      for (let n = 0; n < layers; n++) {
        hiddenStates.push(x = layer(base.at(`${names.layers}.${n}`), variant, x, n, inputs));
      }
      if (names.finalNorm) hiddenStates[layers] = x = base.layerNorm(names.finalNorm, x, epsilon);
      return { lastHiddenState: x, hiddenStates };
    },
    logits(scope, states) {
      if (!names.transform) return scope.linear(names.projection, states, vocabularySize);
      const { dense, norm, activation: own = activation } = names.transform;
      const transformed = applyActivation(scope.linear(dense, states, embeddingSize), own);
      return scope.linear(names.projection, scope.layerNorm(norm, transformed, epsilon), vocabularySize);
    },
    declareUnused(scope) {
      // An untied head has a bias of its own beside the one that a tied head uses.
      scope.parameter(names.headBias, [vocabularySize]);
    },
  };
}

/** The embeddings of tokens, their types and positions, [rows, T, E]. */
function embed(scope: Scope, variant: BertVariant, vocabularySize: number, inputs: DecoderInputs): Value {
  const { hiddenSize, embeddingSize = hiddenSize, epsilon } = variant;
  let x = gather(scope.parameter("word_embeddings.weight", [vocabularySize, embeddingSize]), inputs.ids, { axis: 0 });
  if (variant.tokenTypes) {
    const types = scope.parameter("token_type_embeddings.weight", [variant.tokenTypes, embeddingSize]);
    const first = slice(types, { starts: [0, 0], sizes: [1, embeddingSize] });
    x = add(x, reshape(first, { shape: [1, 1, embeddingSize] }));
  }
  const table = scope.parameter("position_embeddings.weight", [variant.positionRows, embeddingSize]);
  const normal = scope.layerNorm("LayerNorm", add(x, variant.positions(table, inputs)), epsilon);
  return scope.dropout("dropout", normal, variant.dropout.hidden);
}

/** Layer n, [rows, T, C] to the same. */
function layer(scope: Scope, variant: BertVariant, x: Value, n: number, inputs: DecoderInputs): Value {
  const { hiddenSize, heads, intermediate, activation, epsilon, names } = variant;
  const { hidden, attention, attended = hidden } = variant.dropout;
  /** x plus what a part makes of it. */
  const residual = (norm: string, x: Value, part: (x: Value) => Value) =>
    names.finalNorm ? add(x, part(scope.layerNorm(norm, x, epsilon))) : scope.layerNorm(norm, add(x, part(x)), epsilon);
  x = residual(names.attendedNorm, x, (x) => {
    const project = (name: string) => splitHeads(scope.linear(name, x, hiddenSize), heads);
    const current = { keys: project(names.key), values: project(names.value) };
    const drop = scope.attentionDropout("attention.dropout", attention);
    const self = inputs.selfAttention(n, project(names.query), current, { drop });
    return scope.dropout(
      `${names.attended}.dropout`,
      scope.linear(names.attended, joinHeads(self), hiddenSize),
      attended,
    );
  });
  x = residual(names.crossNorm, x, (x) => {
    const query = splitHeads(scope.linear("crossattention.self.query", x, hiddenSize), heads);
    const drop = scope.attentionDropout("crossattention.dropout", attention);
    const cross = joinHeads(inputs.crossAttention(n, query, { drop }));
    const output = scope.linear("crossattention.output.dense", cross, hiddenSize);
    return scope.dropout("crossattention.output.dropout", output, hidden);
  });
  return residual(names.outerNorm, x, (x) => {
    const inner = scope.linear(names.inner, x, intermediate, { activation });
    return scope.dropout(`${names.outer}.dropout`, scope.linear(names.outer, inner, hiddenSize), hidden);
  });
}

/** How new parameters are filled: the embeddings of the pad token are zero, in the given tables. */
export function initialBert(...tables: readonly string[]): (name: string, config: ConfigReader) => Initial | undefined {
  return (name, config) => {
    const zeroRow = config.values.pad_token_id;
    return typeof zeroRow === "number" && tables.some((table) => name.endsWith(`embeddings.${table}.weight`))
      ? { kind: "normal", deviation: config.number("initializer_range"), zeroRow }
      : undefined;
  };
}
