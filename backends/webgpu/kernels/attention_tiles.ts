// Attention of many queries on a GPU. Think of a workgroup as having some queries of a head, in registers, and as bringing keys and
// values to workgroup memory, some at a time. Several lanes share a query: each takes some of the keys, and in the end their
// sums are joined.
import { multiplyDimensions } from "../../../src/graph/mod.ts";
import type { GpuShapes } from "../device/profile.ts";
import type { Resolve } from "../program/view.ts";
import {
  type AttentionOperands,
  type AttentionShader,
  beginAttention,
  lowest,
  readsHeadsAsVec4,
} from "./attention_shader.ts";
import { type Dispatch, upTo } from "./shader.ts";

/** The numbers of keys and values that workgroup memory has room for. */
const mostNumbers = 4096;

/** The widest keys and values together of which a lane keeps a query and its sums in registers. */
const mostWidth = 256;

/** The keys of a lane that are scored together. */
const together = 4;

/** The keys that are in workgroup memory at once; undefined where heads are too wide. */
function keysAtOnce(operands: AttentionOperands, { keys, parts }: GpuShapes["attention"]): number | undefined {
  const width = (operands.query.shape[3] as number) + (operands.value.shape[3] as number);
  if (width > (readsHeadsAsVec4(operands) ? mostWidth : mostWidth / 4)) return undefined;
  let count = keys;
  while (count * width > mostNumbers && count > parts) count /= 2;
  return count * width <= mostNumbers ? count : undefined;
}

/** Whether heads are narrow enough for `tileAttentionKernel`. */
export function canTileAttention(operands: AttentionOperands, shape: GpuShapes["attention"]): boolean {
  return keysAtOnce(operands, shape) !== undefined;
}

/** Statements that bring keys and values from position `first` on to workgroup memory. */
function bring({ load, counts, steps }: AttentionShader, keys: number, lanes: number): string {
  const one = (name: "key" | "value", count: number, step: string) =>
    `for (var i = lane; i < ${keys * count}u; i += ${lanes}u) {
      let s = min(first + i / ${count}u, used - 1u);
      tile_${name}s[i] = ${load[name](`${name}_at + s * ${step} + i % ${count}u`)};
    }`;
  return `${one("key", counts[0], steps[0])}
    ${one("value", counts[1], steps[1])}`;
}

/** Statements that weigh some keys, beginning with number `at` of the tile, and add up their values. */
function attend({ wide, counts, score }: AttentionShader, block: number): string {
  const keys = upTo(block);
  const times = (i: number, j: number) => {
    const key = `tile_keys[(at + ${j}u) * ${counts[0]}u + ${i}u]`;
    return wide ? `dot(q${i}, ${key})` : `q${i} * ${key}`;
  };
  const masked = (j: number) =>
    `score${j} = select(${lowest}, ${
      score(`score${j}`, `min(first + at + ${j}u, used - 1u)`, "")
    }, first + at + ${j}u < limit);`;
  const most = keys.map((j) => `score${j}`).reduce((a, b) => `max(${a}, ${b})`, "largest");
  return `${keys.map((j) => `var score${j} = 0.0;`).join(" ")}
      ${upTo(counts[0]).map((i) => keys.map((j) => `score${j} += ${times(i, j)};`).join(" ")).join("\n      ")}
      ${keys.map(masked).join("\n      ")}
      let next = ${most};
      let kept = exp(largest - next);
      ${keys.map((j) => `let p${j} = select(0.0, exp(score${j} - next), first + at + ${j}u < limit);`).join("\n      ")}
      total = total * kept + ${keys.map((j) => `p${j}`).join(" + ")};
      largest = next;
      ${
    upTo(counts[1]).map((i) =>
      `o${i} = o${i} * kept + ${
        keys.map((j) => `p${j} * tile_values[(at + ${j}u) * ${counts[1]}u + ${i}u]`).join(" + ")
      };`
    ).join("\n      ")
  }`;
}

/** Statements that join the sums of the lanes of a query, and write them. */
function join({ shader, type, counts, store, T }: AttentionShader, queries: number, parts: number): string {
  shader.declare(`var<workgroup> joined: array<${type}, ${queries * counts[1]}>;`);
  shader.declare(`var<workgroup> part_largest: array<f32, ${queries * parts}>;`);
  shader.declare(`var<workgroup> part_total: array<f32, ${queries * parts}>;`);
  const of = (p: number, name: string) => `part_${name}[${p * queries}u + query]`;
  const all = upTo(parts);
  const each = (statement: (i: number) => string) => upTo(counts[1]).map(statement).join(" ");
  const place = (i: number) => `joined[${i * queries}u + query]`;
  const add = (p: number) =>
    p === 0
      ? `if (part == 0u) { ${each((i) => `${place(i)} = o${i} * factor;`)} }
  workgroupBarrier();`
      : p < parts - 1
      ? `if (part == ${p}u) { ${each((i) => `${place(i)} += o${i} * factor;`)} }
  workgroupBarrier();`
      : `if (part == ${p}u && wanted < ${T}) { ${
        each((i) => `${store.target(`target_at + ${i}u`, `${place(i)} + o${i} * factor`)};`)
      } }`;
  return `part_largest[lane] = largest;
  part_total[lane] = total;
  workgroupBarrier();
  let overall = ${all.map((p) => of(p, "largest")).reduce((a, b) => `max(${a}, ${b})`)};
  let whole = ${all.map((p) => `${of(p, "total")} * exp(${of(p, "largest")} - overall)`).join(" + ")};
  let factor = exp(largest - overall) / whole;
  ${all.map(add).join("\n  ")}`;
}

/** A workgroup for some queries of a head. */
export function tileAttentionKernel(operands: AttentionOperands, shape: GpuShapes["attention"]): Dispatch {
  const begun = beginAttention(operands, "attention tiles");
  const { shader, type, load, counts, T, ofLine, ofQuery } = begun;
  const [rows, heads, T_] = operands.query.shape;
  const lines = multiplyDimensions(rows, heads);
  const { queries, parts } = shape;
  const keys = keysAtOnce(operands, shape)!;
  const lanes = queries * parts;
  const block = Math.min(together, keys / parts);
  shader.declare(`var<workgroup> tile_keys: array<${type}, ${keys * counts[0]}>;`);
  shader.declare(`var<workgroup> tile_values: array<${type}, ${keys * counts[1]}>;`);
  const seen = `select(min(used, u32(max(seen_first + ${queries - 1}, 0))), used, seen_first <= 0)`;
  const body = `let tiles = (${T} + ${queries - 1}u) / ${queries}u;
  let line = group / tiles;
  if (line >= ${shader.parameter(lines)}) { return; }
  ${ofLine}
  let query = lane % ${queries}u;
  let part = lane / ${queries}u;
  let tile = (group % tiles) * ${queries}u;
  let wanted = tile + query;
  let t = min(wanted, ${T} - 1u);
  ${ofQuery("")}
  ${
    operands.causal
      ? `let seen_first = i32(used) - i32(${T}) + i32(tile) + 1;
  let last = ${seen};`
      : "let last = used;"
  }
  ${upTo(counts[0]).map((i) => `let q${i} = ${load.query(`query_at + ${i}u`)};`).join("\n  ")}
  ${upTo(counts[1]).map((i) => `var o${i} = ${type}();`).join(" ")}
  var largest = ${lowest};
  var total = 0.0;
  for (var first = 0u; first < last; first += ${keys}u) {
    ${bring(begun, keys, lanes)}
    workgroupBarrier();
    for (var turn = 0u; turn < ${keys / parts / block}u; turn++) {
      let at = part * ${keys / parts}u + turn * ${block}u;
      ${attend(begun, block)}
    }
    workgroupBarrier();
  }
  ${join(begun, queries, parts)}`;
  const groups = (resolve: Resolve) => resolve(lines) * Math.ceil(resolve(T_) / queries);
  const turns = keys / parts / block + Math.ceil(keys * counts[0] / lanes) + Math.ceil(keys * counts[1] / lanes);
  return shader.groups(body, groups, lanes, {
    iterations: (resolve) => Math.ceil(resolve(operands.length) / keys) * (turns + 1),
  });
}
