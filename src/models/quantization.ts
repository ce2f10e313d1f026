// Which parameters are held in few bits, and in how many. The table is the whole of it: what it does not name stays float32.
import type { NamedLeaf, Node, Value } from "../graph/mod.ts";
import type { BlockEncoding } from "../weights/mod.ts";
import { buildForward } from "./forward_program.ts";
import type { Architecture } from "./vision_encoder_decoder.ts";

/** How a model's weights can be quantised. */
export type QuantizedStorage = "q8" | "q4";

/** The kinds of parameters. */
export type ParameterKind = "layer" | "head" | "words" | "position" | "other";

/** What is done with a kind of parameters. */
export interface QuantizationRule {
  /** The parameters, for a person to read. */
  readonly what: string;
  /** The bits of each kind of quantised model; undefined for float32. */
  readonly bits: Readonly<Partial<Record<QuantizedStorage, 4 | 8>>>;
  readonly reason: string;
}

/** What may be quantised and what not. */
export const quantizationRules: Readonly<Record<ParameterKind, QuantizationRule>> = {
  layer: {
    what: "fully connected layers of the encoder and the decoder, and the projection between them",
    bits: { q8: 8, q4: 4 },
    reason: "nearly all of the bytes that a token reads, and sums of many terms, in which errors cancel",
  },
  head: {
    what: "the head, tied or not",
    bits: { q8: 8, q4: 8 },
    reason: "a quarter of the bytes of a token; 4 bits would blur which of two tokens is more likely",
  },
  words: {
    what: "the table of words",
    bits: { q8: 8, q4: 8 },
    reason: "one row is read for a token, so fewer bits save memory only, and a tied head needs the same 8",
  },
  position: {
    what: "positions, learned or relative, and the layers that compute them",
    bits: {},
    reason: "small, added to every state, and partly computed once when the program is compiled",
  },
  other: {
    what: "the patch projection, norms, biases, class and mask tokens, adapters",
    bits: {},
    reason: "under 1 % of the bytes; the patch projection reads raw pixels, whose error every layer would see, and a " +
      "norm's error scales whole states",
  },
};

/** The numbers of a block, the preferred first: a layer takes the first that divides its input's width. */
const blockSizes: Readonly<Record<4 | 8, readonly number[]>> = { 8: [128, 64, 32, 16], 4: [64, 32, 16] };

/**
 * The parameters that a quantised model holds in blocks.
 *
 * @returns How each is encoded, by name. A matrix whose width no block size divides is not among them.
 */
export function quantizedParameters(
  architecture: Architecture,
  storage: QuantizedStorage,
): Map<string, BlockEncoding> {
  const { encoder, decoder } = architecture;
  const graph = buildForward({ ...architecture, adapter: undefined }, { size: encoder.imageSize });
  const found = new Map<string, BlockEncoding>();
  const ofText = new Set<Value>([graph.inputs.get("decoderInputIds")!]);
  for (const node of graph.nodes) {
    const readsText = node.inputs.some((value) => ofText.has(value));
    for (const value of readsText ? node.outputs : []) ofText.add(value);
    const read = readMatrix(node, decoder.vocabularySize);
    if (!read) continue;
    const { weight, axis } = read;
    const { name } = weight.node.attributes as NamedLeaf;
    const kind = /position/.test(name) ? "position" : read.kind;
    const bits = quantizationRules[kind].bits[storage];
    const known = found.get(name);
    if (bits === undefined) continue;
    const block = blockSizes[bits].find((size) => (weight.shape[axis] as number) % size === 0);
    // What two readers share has the bits of the more careful one.
    if (block === undefined || bits < (known?.bits ?? 0)) continue;
    // A picture has hundreds of rows, for which products of 8-bit integers are faster where a weight's row has one scale.
    const rowScales = bits === 8 && axis === 1 && !readsText && (known?.rowScales ?? known === undefined);
    found.set(name, { bits, block, axis, ...(rowScales && { rowScales }) });
  }
  return found;
}

/** The parameter that a node reads as a matrix, and what it is for. */
function readMatrix(
  { operator: { name }, inputs, attributes }: Node,
  vocabularySize: number,
): { weight: Value; axis: 0 | 1; kind: ParameterKind } | undefined {
  const weight = name === "linear" ? inputs[1] : name === "gather" ? inputs[0] : undefined;
  if (weight?.node.operator.name !== "parameter" || weight.rank !== 2) return undefined;
  if (name === "gather") {
    const isWords = weight.shape[0] === vocabularySize && (attributes as { axis: number }).axis === 0;
    return { weight, axis: 1, kind: isWords ? "words" : "other" };
  }
  const { weightLayout = "out_in" } = attributes as { weightLayout?: "out_in" | "in_out" };
  const axis = weightLayout === "out_in" ? 1 : 0;
  return { weight, axis, kind: weight.shape[1 - axis] === vocabularySize ? "head" : "layer" };
}
