// Attention of many queries where lanes can broadcast: keys are loaded once for a workgroup's queries.
import { multiplyDimensions } from "../../../src/graph/mod.ts";
import type { Resolve } from "../program/view.ts";
import {
  type AttentionOperands,
  type AttentionShader,
  type AttentionTexels,
  beginAttention,
  lowest,
  readsHeadsAsVec4,
} from "./attention_shader.ts";
import { type Dispatch, upTo } from "./shader.ts";

/** The keys, and the lanes, that `broadcastAttentionKernel` takes at once. */
const broadcastLanes = 8;

/** Whether a head's numbers are few enough to unroll `broadcastAttentionKernel`. */
export function canBroadcast(operands: AttentionOperands): boolean {
  const [D, E] = [operands.query.shape[3] as number, operands.value.shape[3] as number];
  return D + E <= (readsHeadsAsVec4(operands) ? 256 : 48);
}

/** The queries of a workgroup. */
const perGroup = 2 * broadcastLanes;

/** The two queries of a lane, and the keys that are taken at once. */
const both = [0, 1];
const keys = upTo(broadcastLanes);

/** What lane j holds of `x`. */
const share = (j: number): string => `subgroupBroadcast(x, ${j}u)`;

/** Statements for each of the two queries. */
const eachQuery = (statements: (n: number) => string, between = "\n    "): string => both.map(statements).join(between);

/**
 * A subgroup of 8 lanes, two queries each: a lane loads one of 8 keys and broadcasts it to the others, so that keys are
 * loaded once for 16 queries.
 */
export function broadcastAttentionKernel(operands: AttentionOperands, texels?: AttentionTexels): Dispatch {
  const parts = beginAttention(operands, "attention broadcast", { texels });
  const { shader, steps, T } = parts;
  const [rows, heads, queries] = operands.query.shape;
  const lines = multiplyDimensions(rows, heads);
  const body = `let tiles = (${T} + ${perGroup - 1}u) / ${perGroup}u;
  let line = group / tiles;
  if (line >= ${shader.parameter(lines)}) { return; }
  let tile = (group % tiles) * ${perGroup}u;
  ${readQueries(parts, operands.causal)}
  for (var first = 0u; first < last; first += ${broadcastLanes}u) {
    let own = min(first + lane, used - 1u);
    let key_place = key_at + own * ${steps[0]};
    ${scoreKeys(parts)}
    ${eachQuery(weighKeys)}
    let value_place = value_at + own * ${steps[1]};
    ${addValues(parts)}
  }
  ${writeResults(parts)}`;
  const groups = (resolve: Resolve) => resolve(lines) * Math.ceil(resolve(queries) / perGroup);
  return shader.groups(body, groups, broadcastLanes, {
    iterations: (resolve) => Math.ceil(resolve(operands.length) / broadcastLanes),
  });
}

/** Statements that read a lane's queries, and declare `last`: the workgroup's queries see only keys before it. */
function readQueries({ T, ofLine, ofQuery, counts, type, load }: AttentionShader, causal: boolean): string {
  const seen = causal ? "select(min(used, max(limit_first, limit_last)), used, blind_first)" : "used";
  const limits = `let seen_first = i32(used) - i32(${T}) + i32(tile) + 1;
  let blind_first = seen_first <= 0;
  let limit_first = u32(max(seen_first, 0));
  let limit_last = u32(max(seen_first + ${perGroup - 1}, 0));`;
  const places = eachQuery((n) =>
    `let wanted${n} = tile + ${n * broadcastLanes}u + lane;
  let t${n} = min(wanted${n}, ${T} - 1u);
  ${ofQuery(String(n))}`
  );
  const read = (n: number, i: number) => `let q${n}_${i} = ${load.query(`query_at${n} + ${i}u`)};`;
  return `${ofLine}
  ${places}
  ${causal ? limits : ""}
  let last = ${seen};
  ${eachQuery((n) => upTo(counts[0]).map((i) => read(n, i)).join("\n  "))}
  ${eachQuery((n) => upTo(counts[1]).map((i) => `var o${n}_${i} = ${type}();`).join(" "))}
  ${eachQuery((n) => `var largest${n} = ${lowest}; var total${n} = 0.0;`)}`;
}

/** Statements that score 8 keys for both queries: `s0_0` to `s1_7`. */
function scoreKeys({ wide, counts, load, score }: AttentionShader): string {
  const product = (n: number, i: number) => wide ? `dot(q${n}_${i}, k)` : `q${n}_${i} * k`;
  const add = (i: number, j: number) =>
    `{ let k = ${share(j)}; ${eachQuery((n) => `s${n}_${j} += ${product(n, i)};`, " ")} }`;
  const sums = upTo(counts[0]).map((i) =>
    `{ let x = ${load.key(`key_place + ${i}u`)}; ${keys.map((j) => add(i, j)).join(" ")} }`
  );
  const masked = (n: number, j: number) => {
    const own = score(`s${n}_${j}`, `min(first + ${j}u, used - 1u)`, String(n));
    return `s${n}_${j} = select(${lowest}, ${own}, first + ${j}u < limit${n});`;
  };
  return `${eachQuery((n) => keys.map((j) => `var s${n}_${j} = 0.0;`).join(" "))}
    ${sums.join("\n    ")}
    ${eachQuery((n) => keys.map((j) => masked(n, j)).join("\n    "))}`;
}

/** Statements of an online softmax: a query's weights, and the factor `kept` by which its earlier sums are scaled. */
function weighKeys(n: number): string {
  const most = keys.map((j) => `s${n}_${j}`).reduce((a, b) => `max(${a}, ${b})`);
  const weight = (j: number) => `let p${n}_${j} = select(0.0, exp(s${n}_${j} - next${n}), first + ${j}u < limit${n});`;
  return `let next${n} = max(largest${n}, ${most});
    let kept${n} = exp(largest${n} - next${n});
    ${keys.map(weight).join("\n    ")}
    total${n} = total${n} * kept${n} + ${keys.map((j) => `p${n}_${j}`).join(" + ")};
    largest${n} = next${n};`;
}

/** Statements that add the weighted values of 8 keys to both queries' sums. */
function addValues({ counts, load }: AttentionShader): string {
  const add = (j: number) => `{ let v = ${share(j)}; ${eachQuery((n) => `r${n} += p${n}_${j} * v;`, " ")} }`;
  return upTo(counts[1]).map((i) =>
    `{ let x = ${load.value(`value_place + ${i}u`)}; ${eachQuery((n) => `var r${n} = o${n}_${i} * kept${n};`, " ")} ${
      keys.map(add).join(" ")
    } ${eachQuery((n) => `o${n}_${i} = r${n};`, " ")} }`
  ).join("\n    ");
}

/** Statements that write the results of the two queries. */
function writeResults({ T, counts, store }: AttentionShader): string {
  const write = (n: number, i: number) => `${store.target(`target_at${n} + ${i}u`, `o${n}_${i} / total${n}`)};`;
  return eachQuery((n) =>
    `if (wanted${n} < ${T}) {
    ${upTo(counts[1]).map((i) => write(n, i)).join("\n    ")}
  }`
  );
}
