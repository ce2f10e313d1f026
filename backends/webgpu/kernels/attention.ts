// Attention with an online softmax (Milakov and Gimelshein 2018), so that nothing of the size T · S is kept. For few queries
// a workgroup computes one query, its lanes sharing the keys; for many an invocation computes one query (or the kernel of
// attention_broadcast.ts computes them).
import type { Profile } from "../device/profile.ts";
import { type AppendedPosition, appendPosition } from "./appended_position.ts";
import { type AttentionOperands, type AttentionTexels, beginAttention, lowest } from "./attention_shader.ts";
import { type Dispatch, elementCount, upTo } from "./shader.ts";

/** An invocation a query: its numbers and its sums in registers, keys four at a time. */
export function queryAttentionKernel(operands: AttentionOperands): Dispatch {
  const { shader, wide, type, load, store, counts, T, ofLine, ofQuery, steps, score } = beginAttention(
    operands,
    "attention",
  );
  const items = elementCount(operands.query.shape.slice(0, 3));
  const lanes = 8;
  const block = 4;
  const times = (i: number, j: number) => {
    const key = load.key(`key${j} + ${i}u`);
    return wide ? `dot(q${i}, ${key})` : `q${i} * ${key}`;
  };
  const body = `let t = index % ${T};
  let line = index / ${T};
  ${ofLine}
  ${ofQuery("")}
  ${upTo(counts[0]).map((i) => `let q${i} = ${load.query(`query_at + ${i}u`)};`).join("\n  ")}
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
      `o${i} = o${i} * kept + ${upTo(block).map((j) => `p${j} * ${load.value(`value${j} + ${i}u`)}`).join(" + ")};`
    ).join("\n    ")
  }
  }
  ${upTo(counts[1]).map((i) => `${store.target(`target_at + ${i}u`, `o${i} / total`)};`).join("\n  ")}`;
  return shader.elements(body, items, lanes, {
    iterations: (resolve) => Math.ceil(resolve(operands.length) / block),
  });
}

/**
 * A workgroup a query: each lane takes every so many keys, then the lanes' sums are combined in workgroup memory.
 *
 * @param options.texels Copies that are read instead of the operands.
 * @param options.appended The query's own position, where T is 1 and the cache is not shared by beams; not with copies.
 */
export function splitAttentionKernel(
  operands: AttentionOperands,
  profile: Profile,
  { texels, appended }: { texels?: AttentionTexels; appended?: AppendedPosition } = {},
): Dispatch {
  const label = appended ? "attention append" : "attention split";
  const begun = beginAttention(operands, label, { texels, writesKeys: appended !== undefined });
  const { shader, wide, type, load, store, counts, T, ofLine, ofQuery, steps, score } = begun;
  const items = elementCount(operands.query.shape.slice(0, 3));
  const lanes = splitLanes(operands, profile);
  shader.declare(`var<workgroup> lane_largest: array<f32, ${lanes}>;`);
  shader.declare(`var<workgroup> lane_total: array<f32, ${lanes}>;`);
  shader.declare(`var<workgroup> lane_sums: array<${type}, ${lanes * counts[1]}>;`);
  const times = (i: number) => {
    const key = load.key(`key_place + ${i}u`);
    return wide ? `dot(q${i}, ${key})` : `q${i} * ${key}`;
  };
  const body = `if (group >= ${shader.parameter(items)}) { return; }
  let t = group % ${T};
  let line = group / ${T};
  ${ofLine}
  ${ofQuery("")}
  ${appended ? appendPosition(begun, appended, { capacity: operands.key.shape[2], lanes }) : ""}
  ${upTo(counts[0]).map((i) => `let q${i} = ${load.query(`query_at + ${i}u`)};`).join("\n  ")}
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
    ${upTo(counts[1]).map((i) => `o${i} = o${i} * kept + p * ${load.value(`value_place + ${i}u`)};`).join("\n    ")}
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
    ${store.target("target_at + i", "result / sum")};
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
