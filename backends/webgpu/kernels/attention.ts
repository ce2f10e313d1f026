// Attention with the softmax computed as the keys pass by (Milakov and Gimelshein 2018): nothing of the size T · S is kept.
// Two shapes of kernel: an invocation a query, for many queries; a workgroup a query, its lanes sharing the keys, for few.
import type { Dimension } from "../../../src/graph/mod.ts";
import type { Profile } from "../profile.ts";
import { isMultiple, type View } from "../view.ts";
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
  /** Statements that declare `row`, `head`, `t` from `item`, all places, `used`, `limit` and `blind`. */
  readonly prologue: string;
  /** The steps between keys and between values. */
  readonly steps: readonly [string, string];
  /** The score of key `s`, from its product, as an expression of `product` and `s`. */
  readonly score: string;
}

/** The heads' widths, in vectors of 4 where all places allow it. */
function prepareParts(operands: AttentionOperands, label: string): Parts {
  const { query, key, value, target, mask, beams, length, causal, scale } = operands;
  const shader = new Shader(label);
  const [D, E] = [query.shape[3] as number, value.shape[3] as number];
  const wide = [query, key, value, target].every(({ shape, strides, offset }) =>
    isMultiple(shape[3], 4) && isMultiple(offset, 4) && strides.every((s, axis) => axis === 3 || isMultiple(s, 4))
  );
  const type = wide ? "vec4f" : "f32";
  const buffers = {
    query: shader.read(query.storage, type),
    key: shader.read(key.storage, type),
    value: shader.read(value.storage, type),
    target: shader.write(target.storage, type),
  };
  const [, H, T] = query.shape.map((d) => shader.parameter(d));
  const each = shader.parameter(beams);
  const used = shader.parameter(length);
  const divided = wide ? " / 4u" : "";
  const place = (view: View, first: string, position: string) => {
    const [row, head, step] = view.strides.map((d) => shader.parameter(d));
    const offset = shader.parameter(view.offset);
    return `(${offset} + ${first} * ${row} + head * ${head} + ${position} * ${step})${divided}`;
  };
  const lines = [
    `let t = item % ${T};`,
    `let head = (item / ${T}) % ${H};`,
    `let row = item / (${T} * ${H});`,
    `let batch = row / ${each};`,
    `let used = ${used};`,
    `let query_at = ${place(query, "row", "t")};`,
    `let key_at = ${place(key, "batch", "0u")};`,
    `let value_at = ${place(value, "batch", "0u")};`,
    `let target_at = ${place(target, "row", "t")};`,
  ];
  let score = `product * ${shader.float(scale)}`;
  if (mask) {
    const buffer = shader.read(mask.view.storage, "f32");
    const [row, head, query, step] = mask.view.strides.map((d) => shader.parameter(d));
    const first = mask.shared ? "batch" : "row";
    const offset = shader.parameter(mask.view.offset);
    lines.push(`let mask_at = ${offset} + ${first} * ${row} + head * ${head} + t * ${query};`);
    score = `(${score} + ${buffer}[mask_at + s * ${step}])`;
  }
  // A query before all keys sees none: all are hidden alike.
  if (causal) {
    lines.push(`let seen = i32(used) - i32(${T}) + i32(t) + 1;`, `let blind = seen <= 0;`);
    lines.push(`let limit = select(u32(max(seen, 0)), used, blind);`);
    score = `select(${score}, -1e30, blind)`;
  } else {
    lines.push(`let limit = used;`);
  }
  const steps = [key, value].map(({ strides }) => `(${shader.parameter(strides[2])}${divided})`);
  return {
    shader,
    wide,
    type,
    buffers,
    counts: wide ? [D / 4, E / 4] : [D, E],
    prologue: lines.join("\n  "),
    steps: steps as unknown as readonly [string, string],
    score,
  };
}

const upTo = (n: number): number[] => [...Array(n).keys()];

/** Below every score; not −∞, so that differences stay numbers. */
const lowest = "-3.4028234e38";

/** An invocation a query: its numbers and its sums in registers, keys four at a time. */
export function queryAttentionKernel(operands: AttentionOperands, profile: Profile): Dispatch {
  const { shader, wide, type, buffers, counts, prologue, steps, score } = prepareParts(operands, "attention");
  const items = elementsOf(operands.query.shape.slice(0, 3));
  const lanes = profile.sharedTiles ? 64 : 8;
  const block = 4;
  const times = (i: number, j: number) => {
    const key = `${buffers.key}[key${j} + ${i}u]`;
    return wide ? `dot(q${i}, ${key})` : `q${i} * ${key}`;
  };
  const body = `let item = index;
  ${prologue}
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
    upTo(block).map((j) =>
      `{ let product = score${j}; let s = s${j}; score${j} = select(${lowest}, ${score}, first + ${j}u < limit); }`
    ).join("\n    ")
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

/** A workgroup a query: each lane takes every so many keys, then the lanes' sums are combined in workgroup memory. */
export function splitAttentionKernel(operands: AttentionOperands, profile: Profile): Dispatch {
  const { shader, wide, type, buffers, counts, prologue, steps, score } = prepareParts(operands, "attention split");
  const items = elementsOf(operands.query.shape.slice(0, 3));
  const lanes = splitLanes(operands, profile);
  shader.declare(`var<workgroup> lane_largest: array<f32, ${lanes}>;`);
  shader.declare(`var<workgroup> lane_total: array<f32, ${lanes}>;`);
  shader.declare(`var<workgroup> lane_sums: array<${type}, ${lanes * counts[1]}>;`);
  const times = (i: number) => {
    const key = `${buffers.key}[key_place + ${i}u]`;
    return wide ? `dot(q${i}, ${key})` : `q${i} * ${key}`;
  };
  const body = `let item = group;
  if (item >= ${shader.parameter(items)}) { return; }
  ${prologue}
  ${upTo(counts[0]).map((i) => `let q${i} = ${buffers.query}[query_at + ${i}u];`).join("\n  ")}
  ${upTo(counts[1]).map((i) => `var o${i} = ${type}();`).join(" ")}
  var largest = ${lowest};
  var total = 0.0;
  for (var s = lane; s < limit; s += ${lanes}u) {
    let key_place = key_at + s * ${steps[0]};
    var product = 0.0;
    ${upTo(counts[0]).map((i) => `product += ${times(i)};`).join("\n    ")}
    let own = ${score};
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
