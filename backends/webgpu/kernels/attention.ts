// Attention with the softmax computed as the keys pass by (Milakov and Gimelshein 2018): nothing of the size T · S is kept.
// Three shapes of kernel: a workgroup a query, its lanes sharing the keys, for few queries; for many an invocation a query,
// or, where lanes can broadcast, keys loaded once for a workgroup's queries.
import { type Dimension, multiplyDimensions } from "../../../src/graph/mod.ts";
import type { Profile } from "../profile.ts";
import { isMultiple, type Resolve, type View } from "../view.ts";
import { type Dispatch, elementsOf, Shader } from "./shader.ts";

/** The operands of an attention; the last axis of query, key, value and target is in a row. */
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
  /** The keys in use. */
  readonly length: Dimension;
  readonly causal: boolean;
  readonly scale: number;
  /** Shape [rows, H, T, E]. */
  readonly target: View;
}

interface Parts {
  readonly shader: Shader;
  readonly wide: boolean;
  /** Vectors (or numbers) of a query and of a value. */
  readonly counts: readonly [query: number, value: number];
  readonly type: "vec4f" | "f32";
  readonly buffers: Readonly<Record<"query" | "key" | "value" | "target", string>>;
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

/** What all kernels share; heads are read in vectors of 4 where all places allow it. */
function prepareParts(operands: AttentionOperands, label: string): Parts {
  const { query, key, value, target, mask, beams, length, causal, scale } = operands;
  const shader = new Shader(label);
  const [D, E] = [query.shape[3] as number, value.shape[3] as number];
  const wide = readsInFours(operands);
  const type = wide ? "vec4f" : "f32";
  const buffers = {
    query: shader.read(query.storage, type),
    key: shader.read(key.storage, type),
    value: shader.read(value.storage, type),
    target: shader.write(target.storage, type),
  };
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
  const masks = mask && {
    buffer: shader.read(mask.view.storage, "f32"),
    strides: mask.view.strides.map((d) => shader.parameter(d)),
    offset: shader.parameter(mask.view.offset),
    first: mask.shared ? "batch" : "row",
  };
  return {
    shader,
    wide,
    type,
    buffers,
    counts: wide ? [D / 4, E / 4] : [D, E],
    T,
    ofLine: `let head = line % ${H};
  let row = line / ${H};
  let batch = row / ${each};
  let used = ${used};
  let key_at = ${places.key()};
  let value_at = ${places.value()};`,
    ofQuery: (n) => {
      const lines = [`let query_at${n} = ${places.query(`t${n}`)};`, `let target_at${n} = ${places.target(`t${n}`)};`];
      // A query before all keys sees none: all are hidden alike.
      if (causal) {
        lines.push(`let seen${n} = i32(used) - i32(${T}) + i32(t${n}) + 1;`, `let blind${n} = seen${n} <= 0;`);
        lines.push(`let limit${n} = select(u32(max(seen${n}, 0)), used, blind${n});`);
      } else lines.push(`let limit${n} = used;`);
      if (masks) {
        const { offset, first, strides: [row, head, query] } = masks;
        lines.push(`let mask_at${n} = ${offset} + ${first} * ${row} + head * ${head} + t${n} * ${query};`);
      }
      return lines.join("\n  ");
    },
    steps: [key, value].map(({ strides }) => `(${shader.parameter(strides[2])}${divided})`),
    score: (product, s, n) => {
      const own = `${product} * ${factor}`;
      const masked = masks ? `(${own} + ${masks.buffer}[mask_at${n} + ${s} * ${masks.strides[3]}])` : own;
      return causal ? `select(${masked}, -1e30, blind${n})` : masked;
    },
  };
}

/** Whether all places are multiples of 4. */
function readsInFours({ query, key, value, target }: AttentionOperands): boolean {
  return [query, key, value, target].every(({ shape, strides, offset }) =>
    isMultiple(shape[3], 4) && isMultiple(offset, 4) && strides.every((s, axis) => axis === 3 || isMultiple(s, 4))
  );
}

const upTo = (n: number): number[] => [...Array(n).keys()];

/** Below every score; not −∞, so that differences stay numbers. */
const lowest = "-3.4028234e38";

/** An invocation a query: its numbers and its sums in registers, keys four at a time. */
export function queryAttentionKernel(operands: AttentionOperands, profile: Profile): Dispatch {
  const { shader, wide, type, buffers, counts, T, ofLine, ofQuery, steps, score } = prepareParts(operands, "attention");
  const items = elementsOf(operands.query.shape.slice(0, 3));
  const lanes = profile.sharedTiles ? 64 : 8;
  const block = 4;
  const times = (i: number, j: number) => {
    const key = `${buffers.key}[key${j} + ${i}u]`;
    return wide ? `dot(q${i}, ${key})` : `q${i} * ${key}`;
  };
  const body = `let t = index % ${T};
  let line = index / ${T};
  ${ofLine}
  ${ofQuery("")}
  ${upTo(counts[0]).map((i) => `let q${i} = ${buffers.query}[query_at + ${i}u];`).join("\n  ")}
  ${upTo(counts[1]).map((i) => `var o${i} = ${type}();`).join(" ")}
  var largest = ${lowest};
  var total = 0.0;
  for (var first = 0u; first < limit; first += ${block}u) {
    ${
    upTo(block).map((j) => `let s${j} = min(first + ${j}u, limit - 1u); let key${j} = key_at + s${j} * ${steps[0]};`)
      .join("\n    ")
  }
    ${upTo(block).map((j) => `var score${j} = 0.0;`).join(" ")}
    ${upTo(counts[0]).map((i) => upTo(block).map((j) => `score${j} += ${times(i, j)};`).join(" ")).join("\n    ")}
    ${
    upTo(block).map((j) => `score${j} = select(${lowest}, ${score(`score${j}`, `s${j}`, "")}, first + ${j}u < limit);`)
      .join("\n    ")
  }
    let next = max(largest, max(max(score0, score1), max(score2, score3)));
    let kept = exp(largest - next);
    ${upTo(block).map((j) => `let p${j} = select(0.0, exp(score${j} - next), first + ${j}u < limit);`).join("\n    ")}
    total = total * kept + p0 + p1 + p2 + p3;
    largest = next;
    ${upTo(block).map((j) => `let value${j} = value_at + s${j} * ${steps[1]};`).join(" ")}
    ${
    upTo(counts[1]).map((i) =>
      `o${i} = o${i} * kept + ${upTo(block).map((j) => `p${j} * ${buffers.value}[value${j} + ${i}u]`).join(" + ")};`
    ).join("\n    ")
  }
  }
  ${upTo(counts[1]).map((i) => `${buffers.target}[target_at + ${i}u] = o${i} / total;`).join("\n  ")}`;
  return shader.elements(body, items, lanes, {
    iterations: (resolve) => Math.ceil(resolve(operands.length) / block),
  });
}

/** The keys, and the lanes, that `broadcastAttentionKernel` takes at once. */
const broadcastLanes = 8;

/** Whether a head's numbers are few enough to unroll `broadcastAttentionKernel`. */
export function canBroadcast(operands: AttentionOperands): boolean {
  const [D, E] = [operands.query.shape[3] as number, operands.value.shape[3] as number];
  return D + E <= (readsInFours(operands) ? 256 : 48);
}

/**
 * A subgroup of 8 lanes, two queries each: a lane loads one of 8 keys and broadcasts it to the others, so that keys are
 * loaded once for 16 queries.
 */
export function broadcastAttentionKernel(operands: AttentionOperands): Dispatch {
  const { shader, wide, type, buffers, counts, T, ofLine, ofQuery, steps, score } = prepareParts(
    operands,
    "attention broadcast",
  );
  const [rows, heads, queries] = operands.query.shape;
  const lines = multiplyDimensions(rows, heads);
  const both = [0, 1];
  const keys = upTo(broadcastLanes);
  const share = (j: number) => `subgroupBroadcast(x, ${j}u)`;
  const product = (n: number, i: number, x: string) => wide ? `dot(q${n}_${i}, ${x})` : `q${n}_${i} * ${x}`;
  const perGroup = 2 * broadcastLanes;
  const seen = operands.causal ? "select(min(used, max(limit_first, limit_last)), used, blind_first)" : "used";
  const body = `let tiles = (${T} + ${perGroup - 1}u) / ${perGroup}u;
  let line = group / tiles;
  if (line >= ${shader.parameter(lines)}) { return; }
  let tile = (group % tiles) * ${perGroup}u;
  ${ofLine}
  ${
    both.map((n) =>
      `let wanted${n} = tile + ${n * broadcastLanes}u + lane;
  let t${n} = min(wanted${n}, ${T} - 1u);
  ${ofQuery(String(n))}`
    ).join("\n  ")
  }
  ${
    operands.causal
      ? `let seen_first = i32(used) - i32(${T}) + i32(tile) + 1;
  let blind_first = seen_first <= 0;
  let limit_first = u32(max(seen_first, 0));
  let limit_last = u32(max(seen_first + ${perGroup - 1}, 0));`
      : ""
  }
  let last = ${seen};
  ${
    both.map((n) => upTo(counts[0]).map((i) => `let q${n}_${i} = ${buffers.query}[query_at${n} + ${i}u];`).join("\n  "))
      .join("\n  ")
  }
  ${both.map((n) => upTo(counts[1]).map((i) => `var o${n}_${i} = ${type}();`).join(" ")).join("\n  ")}
  ${both.map((n) => `var largest${n} = ${lowest}; var total${n} = 0.0;`).join(" ")}
  for (var first = 0u; first < last; first += ${broadcastLanes}u) {
    let own = min(first + lane, used - 1u);
    let key_place = key_at + own * ${steps[0]};
    ${both.map((n) => keys.map((j) => `var s${n}_${j} = 0.0;`).join(" ")).join("\n    ")}
    ${
    upTo(counts[0]).map((i) =>
      `{ let x = ${buffers.key}[key_place + ${i}u]; ${
        keys.map((j) => `{ let k = ${share(j)}; ${both.map((n) => `s${n}_${j} += ${product(n, i, "k")};`).join(" ")} }`)
          .join(" ")
      } }`
    ).join("\n    ")
  }
    ${
    both.map((n) =>
      keys.map((j) => {
        const s = `min(first + ${j}u, used - 1u)`;
        return `s${n}_${j} = select(${lowest}, ${score(`s${n}_${j}`, s, String(n))}, first + ${j}u < limit${n});`;
      }).join("\n    ")
    ).join("\n    ")
  }
    ${
    both.map((n) => {
      const most = keys.map((j) => `s${n}_${j}`).reduce((a, b) => `max(${a}, ${b})`);
      return `let next${n} = max(largest${n}, ${most});
    let kept${n} = exp(largest${n} - next${n});
    ${
        keys.map((j) => `let p${n}_${j} = select(0.0, exp(s${n}_${j} - next${n}), first + ${j}u < limit${n});`).join(
          "\n    ",
        )
      }
    total${n} = total${n} * kept${n} + ${keys.map((j) => `p${n}_${j}`).join(" + ")};
    largest${n} = next${n};`;
    }).join("\n    ")
  }
    let value_place = value_at + own * ${steps[1]};
    ${
    upTo(counts[1]).map((i) =>
      `{ let x = ${buffers.value}[value_place + ${i}u]; ${
        both.map((n) => `var r${n} = o${n}_${i} * kept${n};`).join(" ")
      } ${
        keys.map((j) => `{ let v = ${share(j)}; ${both.map((n) => `r${n} += p${n}_${j} * v;`).join(" ")} }`).join(" ")
      } ${both.map((n) => `o${n}_${i} = r${n};`).join(" ")} }`
    ).join("\n    ")
  }
  }
  ${
    both.map((n) =>
      `if (wanted${n} < ${T}) {
    ${upTo(counts[1]).map((i) => `${buffers.target}[target_at${n} + ${i}u] = o${n}_${i} / total${n};`).join("\n    ")}
  }`
    ).join("\n  ")
  }`;
  const groups = (resolve: Resolve) => resolve(lines) * Math.ceil(resolve(queries) / perGroup);
  return shader.groups(body, groups, broadcastLanes, {
    iterations: (resolve) => Math.ceil(resolve(operands.length) / broadcastLanes),
  });
}

/** A workgroup a query: each lane takes every so many keys, then the lanes' sums are combined in workgroup memory. */
export function splitAttentionKernel(operands: AttentionOperands, profile: Profile): Dispatch {
  const { shader, wide, type, buffers, counts, T, ofLine, ofQuery, steps, score } = prepareParts(
    operands,
    "attention split",
  );
  const items = elementsOf(operands.query.shape.slice(0, 3));
  const lanes = splitLanes(operands, profile);
  shader.declare(`var<workgroup> lane_largest: array<f32, ${lanes}>;`);
  shader.declare(`var<workgroup> lane_total: array<f32, ${lanes}>;`);
  shader.declare(`var<workgroup> lane_sums: array<${type}, ${lanes * counts[1]}>;`);
  const times = (i: number) => {
    const key = `${buffers.key}[key_place + ${i}u]`;
    return wide ? `dot(q${i}, ${key})` : `q${i} * ${key}`;
  };
  const body = `if (group >= ${shader.parameter(items)}) { return; }
  let t = group % ${T};
  let line = group / ${T};
  ${ofLine}
  ${ofQuery("")}
  ${upTo(counts[0]).map((i) => `let q${i} = ${buffers.query}[query_at + ${i}u];`).join("\n  ")}
  ${upTo(counts[1]).map((i) => `var o${i} = ${type}();`).join(" ")}
  var largest = ${lowest};
  var total = 0.0;
  for (var s = lane; s < limit; s += ${lanes}u) {
    let key_place = key_at + s * ${steps[0]};
    var product = 0.0;
    ${upTo(counts[0]).map((i) => `product += ${times(i)};`).join("\n    ")}
    let own = ${score("product", "s", "")};
    let next = max(largest, own);
    let kept = exp(largest - next);
    let p = exp(own - next);
    total = total * kept + p;
    largest = next;
    let value_place = value_at + s * ${steps[1]};
    ${upTo(counts[1]).map((i) => `o${i} = o${i} * kept + p * ${buffers.value}[value_place + ${i}u];`).join("\n    ")}
  }
  lane_largest[lane] = largest;
  lane_total[lane] = total;
  ${upTo(counts[1]).map((i) => `lane_sums[lane * ${counts[1]}u + ${i}u] = o${i};`).join("\n  ")}
  workgroupBarrier();
  var overall = lane_largest[0];
  for (var j = 1u; j < ${lanes}u; j++) { overall = max(overall, lane_largest[j]); }
  var sum = 0.0;
  for (var j = 0u; j < ${lanes}u; j++) { sum += lane_total[j] * exp(lane_largest[j] - overall); }
  for (var i = lane; i < ${counts[1]}u; i += ${lanes}u) {
    var result = ${type}();
    for (var j = 0u; j < ${lanes}u; j++) {
      result += lane_sums[j * ${counts[1]}u + i] * exp(lane_largest[j] - overall);
    }
    ${buffers.target}[target_at + i] = result / sum;
  }`;
  return shader.groups(body, (resolve) => resolve(items), lanes, {
    iterations: (resolve) => Math.ceil(resolve(operands.length) / lanes) + lanes * (3 + Math.ceil(counts[1] / lanes)),
  });
}

/** Workgroup memory holds a value a lane: 16 KiB at most. */
function splitLanes({ value }: AttentionOperands, { rowLanes }: Profile): number {
  const width = value.shape[3] as number;
  let lanes = rowLanes;
  while (lanes > 1 && lanes * (width + 2) * 4 > 16_384) lanes /= 2;
  return lanes;
}
