// What the attention kernels share: where their operands' elements lie, which keys a query sees, and its scores.
import type { Dimension } from "../../../src/graph/mod.ts";
import { lowestScore } from "../../../src/operators/mod.ts";
import { isMultiple, type Storage, type View } from "../program/view.ts";
import type { Elements } from "./element_access.ts";
import { Shader } from "./shader.ts";

/** The operands of an attention; the last axis of query, key, value and target is contiguous. */
export interface AttentionOperands {
  /** Shape [rows, H, T, D]. */
  readonly query: View;
  /** Shape [batch, H, S, D]. */
  readonly key: View;
  /** Shape [batch, H, S, E]. */
  readonly value: View;
  /** Shape [rows, H, T, S] by strides; `shared` where its first axis is batch. */
  readonly mask?: { readonly view: View; readonly shared: boolean };
  readonly beams: Dimension;
  /** The keys in use, at most. */
  readonly length: Dimension;
  /** Those of each row, [rows], contiguous. */
  readonly lengths?: View;
  readonly causal: boolean;
  readonly scale: number;
  /** Shape [rows, H, T, E]. */
  readonly target: View;
}

/** Copies of the storages of queries, keys and values as texels: heads are read in vectors of 4. */
export type AttentionTexels = Readonly<Record<"query" | "key" | "value", Storage>>;

/** A kernel that was begun, with the names and statements that all attention kernels use. */
export interface AttentionShader {
  readonly shader: Shader;
  readonly wide: boolean;
  /** Vectors (or numbers) of a query and of a value. */
  readonly counts: readonly [query: number, value: number];
  readonly type: "vec4f" | "f32";
  /** The vector (or number) at a place of the queries, the keys or the values. */
  readonly load: Readonly<Record<"query" | "key" | "value", Elements["load"]>>;
  /** A statement that writes a vector (or number) to a place of the results, or of the keys and values of a kernel that writes them. */
  readonly store: Readonly<Record<"target" | "key" | "value", Elements["store"]>>;
  /** The number T of queries, as an expression. */
  readonly T: string;
  /** Statements that declare `row`, `head`, `batch`, `used`, `key_at` and `value_at` from `line`, row · H + head. */
  readonly ofLine: string;
  /** Statements that declare, each with a suffix, `limit`, `blind` and the places of query `t`, which ends with it too. */
  readonly ofQuery: (suffix: string) => string;
  /** The steps between keys and between values. */
  readonly steps: readonly string[];
  /** The score of key `s` from its product. */
  readonly score: (product: string, s: string, suffix: string) => string;
}

/**
 * Begin a kernel; heads are read in vectors of 4 where all places allow it.
 *
 * @param writesKeys Whether it writes keys and values too.
 */
export function beginAttention(
  operands: AttentionOperands,
  label: string,
  { writesKeys = false, texels }: { writesKeys?: boolean; texels?: AttentionTexels } = {},
): AttentionShader {
  const { query, key, value, target, mask, beams, length, lengths, causal, scale } = operands;
  const shader = new Shader(label);
  const [D, E] = [query.shape[3] as number, value.shape[3] as number];
  const wide = readsHeadsAsVec4(operands);
  const type = wide ? "vec4f" : "f32";
  const { load, store } = bindOperands(shader, operands, type, { writesKeys, texels });
  const [H, T, each, used, factor] = [query.shape[1], query.shape[2], beams, length].map((d) => shader.parameter(d))
    .concat(shader.float(scale));
  const divided = wide ? " / 4u" : "";
  const place = (view: View, first: string) => {
    const [row, head, step] = view.strides.map((d) => shader.parameter(d));
    const offset = shader.parameter(view.offset);
    const start = `${offset} + ${first} * ${row} + head * ${head}`;
    return (position?: string) => `(${start}${position ? ` + ${position} * ${step}` : ""})${divided}`;
  };
  const places = {
    query: place(query, "row"),
    key: place(key, "batch"),
    value: place(value, "batch"),
    target: place(target, "row"),
  };
  const masks = mask && maskPlaces(shader, mask);
  // A row has a key, and none outside of the buffer.
  const own = lengths &&
    `u32(clamp(${shader.read(lengths.storage, "i32")(`${shader.parameter(lengths.offset)} + row`)}, 1, i32(${used})))`;
  return {
    shader,
    wide,
    type,
    load,
    store,
    counts: wide ? [D / 4, E / 4] : [D, E],
    T,
    ofLine: `let head = line % ${H};
  let row = line / ${H};
  let batch = row / ${each};
  let used = ${own ?? used};
  let key_at = ${places.key()};
  let value_at = ${places.value()};`,
    ofQuery: (n) =>
      [
        `let query_at${n} = ${places.query(`t${n}`)};`,
        `let target_at${n} = ${places.target(`t${n}`)};`,
        ...limitsOf(n, T, causal),
        ...(masks ? [masks.placeOf(n)] : []),
      ].join("\n  "),
    steps: [key, value].map(({ strides }) => `(${shader.parameter(strides[2])}${divided})`),
    score: (product, s, n) => {
      const own = `${product} * ${factor}`;
      const masked = masks ? `(${own} + ${masks.entry(n, s)})` : own;
      return causal ? `select(${masked}, ${lowestScore}, blind${n})` : masked;
    },
  };
}

/** Bind queries, keys, values and results: as texels, or in buffers, of which those of keys and values may be written. */
function bindOperands(
  shader: Shader,
  { query, key, value, target }: AttentionOperands,
  type: string,
  { writesKeys, texels }: { writesKeys: boolean; texels?: AttentionTexels },
): Pick<AttentionShader, "load" | "store"> {
  const unwritten = (): string => {
    throw new Error("the kernel writes no keys and values");
  };
  const bind = ({ storage }: View, writes = false): Elements =>
    writes ? shader.write(storage, type) : { load: shader.read(storage, type), store: unwritten };
  const fetch = (storage: Storage): Elements => {
    const texel = shader.readTexels(storage);
    return { load: (at) => texel(`(${at})`), store: unwritten };
  };
  const own = texels
    ? { query: fetch(texels.query), key: fetch(texels.key), value: fetch(texels.value) }
    : { query: bind(query), key: bind(key, writesKeys), value: bind(value, writesKeys) };
  const results = shader.write(target.storage, type);
  return {
    load: { query: own.query.load, key: own.key.load, value: own.value.load },
    store: { target: results.store, key: own.key.store, value: own.value.store },
  };
}

/** Statements that declare which keys query `t` sees: those before `limit`; a query before all keys is `blind`, and weighs all keys equally. */
function limitsOf(n: string, T: string, causal: boolean): string[] {
  if (!causal) return [`let limit${n} = used;`];
  return [
    `let seen${n} = i32(used) - i32(${T}) + i32(t${n}) + 1;`,
    `let blind${n} = seen${n} <= 0;`,
    `let limit${n} = select(u32(max(seen${n}, 0)), used, blind${n});`,
  ];
}

/** Where a mask is read. */
interface MaskPlaces {
  /** A statement that declares where the mask of query `t` begins. */
  readonly placeOf: (n: string) => string;
  /** Its entry for key `s`. */
  readonly entry: (n: string, s: string) => string;
}

function maskPlaces(shader: Shader, { view, shared }: NonNullable<AttentionOperands["mask"]>): MaskPlaces {
  const buffer = shader.read(view.storage, "f32");
  const [row, head, query, key] = view.strides.map((d) => shader.parameter(d));
  const offset = shader.parameter(view.offset);
  const first = shared ? "batch" : "row";
  return {
    placeOf: (n) => `let mask_at${n} = ${offset} + ${first} * ${row} + head * ${head} + t${n} * ${query};`,
    entry: (n, s) => buffer(`mask_at${n} + ${s} * ${key}`),
  };
}

/** Whether all places are multiples of 4. */
export function readsHeadsAsVec4({ query, key, value, target }: AttentionOperands): boolean {
  return [query, key, value, target].every(({ shape, strides, offset }) =>
    isMultiple(shape[3], 4) && isMultiple(offset, 4) && strides.every((s, axis) => axis === 3 || isMultiple(s, 4))
  );
}

/** Below every score; not −∞, so that differences stay numbers. */
export const lowest = "-3.4028234e38";
