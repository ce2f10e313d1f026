// Attention of few queries on a GPU. Think of a workgroup as having one query and some of the positions, which it takes as many at
// a time as it has lanes: first each lane scores one key, then the lanes lie across the values, some of which each adds up. Where a
// query has many positions, several workgroups have a part of them each, and a second kernel joins what they found. The kernel
// can first append the query's own key and value to the cache.
import { multiplyDimensions } from "../../../src/graph/mod.ts";
import type { Profile } from "../device/profile.ts";
import type { Storage } from "../program/view.ts";
import { type AppendedPosition, appendPosition } from "./appended_position.ts";
import { type AttentionOperands, type AttentionShader, beginAttention, lowest } from "./attention_shader.ts";
import { shareAcrossLanes } from "./lane_reduction.ts";
import { type Dispatch, elementCount, Shader, upTo } from "./shader.ts";

/** Where workgroups leave what they found of a part of a query's positions. */
export interface PositionParts {
  readonly count: number;
  /** Shape [queries, parts, E + 2]: sums, the largest score and the total. */
  readonly storage: Storage;
}

/** The lanes of a query, each of which scores one key. */
const lanes = 64;

/** The most vectors (or numbers) of a key whose products are written out. */
const mostUnrolled = 32;

/** How the lanes lie across the values: `across` vectors (or numbers) of a value, and `deep` keys at a time. */
interface Spread {
  readonly across: number;
  readonly deep: number;
  /** The vectors of a value that a lane has, by number. */
  readonly own: readonly number[];
}

function spreadOver(count: number): Spread {
  const across = Math.min(lanes, count);
  return { across, deep: Math.floor(lanes / across), own: upTo(Math.ceil(count / lanes)) };
}

/** Statements that take `lanes` positions from `first` on: they are scored, weighed, and their values added up. */
function turn(
  { wide, load, counts, steps, score, shader }: AttentionShader,
  spread: Spread,
  profile: Profile,
): string {
  const product = (i: string) => {
    const [q, k] = [load.query(`query_at + ${i}`), load.key(`key_place + ${i}`)];
    return `product += ${wide ? `dot(${q}, ${k})` : `${q} * ${k}`};`;
  };
  const products = counts[0] <= mostUnrolled
    ? upTo(counts[0]).map((i) => product(`${i}u`)).join("\n    ")
    : `for (var i = 0u; i < ${counts[0]}u; i++) { ${product("i")} }`;
  const share = (combination: "sum" | "maximum", name: string) =>
    shareAcrossLanes(shader, lanes, combination, [name], profile);
  const add = (u: number) => {
    const at = `column + ${u * lanes}u`;
    return `if (${at} < ${counts[1]}u) { o${u} += weights[j] * ${load.value(`value_place + ${at}`)}; }`;
  };
  return `let s = min(first + lane, end - 1u);
    let key_place = key_at + s * ${steps[0]};
    var product = 0.0;
    ${products}
    var own = ${score("product", "s", "")};
    if (first + lane >= end) { own = ${lowest}; }
    var next = own;
    ${share("maximum", "next")}
    next = max(next, largest);
    var weight = select(0.0, exp(own - next), first + lane < end);
    weights[lane] = weight;
    // Its barriers let all lanes read the weights too.
    ${share("sum", "weight")}
    let kept = exp(largest - next);
    total = total * kept + weight;
    largest = next;
    ${spread.own.map((u) => `o${u} = o${u} * kept;`).join(" ")}
    let count = min(${lanes}u, end - first);
    if (depth < ${spread.deep}u) {
      for (var j = depth; j < count; j += ${spread.deep}u) {
        let value_place = value_at + (first + j) * ${steps[1]};
        ${spread.own.map(add).join(" ")}
      }
    }
    workgroupBarrier();`;
}

/** Statements that join the lanes' sums, and write the result, or what the next kernel makes it of. */
function finish(
  { shader, type, wide, counts: [, E], store }: AttentionShader,
  spread: Spread,
  parts?: PositionParts,
): string {
  const { deep, own } = spread;
  shader.declare(`var<workgroup> sums: array<${type}, ${deep * E}>;`);
  const put = (u: number) => {
    const at = `column + ${u * lanes}u`;
    return `if (${at} < ${E}u) { sums[depth * ${E}u + ${at}] = o${u}; }`;
  };
  const partial = parts && shader.write(parts.storage, "f32");
  const width = (wide ? 4 : 1) * E + 2;
  const write = partial
    ? wide
      ? `for (var e = 0u; e < 4u; e++) { ${partial.store("found + 4u * i + e", "result[e]")}; }`
      : `${partial.store("found + i", "result")};`
    : `${store.target("target_at + i", "result / total")};`;
  return `if (depth < ${deep}u) { ${own.map(put).join(" ")} }
  workgroupBarrier();
  let found = group * ${width}u;
  for (var i = lane; i < ${E}u; i += ${lanes}u) {
    var result = sums[i];
    for (var j = 1u; j < ${deep}u; j++) { result += sums[j * ${E}u + i]; }
    ${write}
  }
  ${
    partial
      ? `if (lane == 0u) { ${partial.store(`found + ${width - 2}u`, "largest")}; ${
        partial.store(`found + ${width - 1}u`, "total")
      }; }`
      : ""
  }`;
}

/**
 * A workgroup for each query and part of its positions.
 *
 * @param parts Undefined where one workgroup has all positions.
 * @param appended The query's own position, where T is 1 and the cache is not shared by beams.
 */
export function positionAttentionKernel(
  operands: AttentionOperands,
  { parts, appended }: { parts?: PositionParts; appended?: AppendedPosition },
  profile: Profile,
): Dispatch {
  const begun = beginAttention(operands, appended ? "attention append" : "attention positions", {
    writesKeys: appended !== undefined,
  });
  const { shader, type, counts, T, ofLine, ofQuery } = begun;
  const items = elementCount(operands.query.shape.slice(0, 3));
  const spread = spreadOver(counts[1]);
  shader.declare(`var<workgroup> weights: array<f32, ${lanes}>;`);
  const count = parts ? shader.parameter(parts.count) : "1u";
  const body = `let item = group / ${count};
  if (item >= ${shader.parameter(items)}) { return; }
  let t = item % ${T};
  let line = item / ${T};
  ${ofLine}
  ${ofQuery("")}
  ${appended ? appendPosition(begun, appended, { capacity: operands.key.shape[2], lanes }) : ""}
  // A part is of whole turns.
  let per_part = (limit + ${count} * ${lanes}u - 1u) / (${count} * ${lanes}u) * ${lanes}u;
  let begin = min(limit, (group % ${count}) * per_part);
  let end = min(limit, begin + per_part);
  var largest = ${lowest};
  var total = 0.0;
  let column = lane % ${spread.across}u;
  let depth = lane / ${spread.across}u;
  ${spread.own.map((u) => `var o${u} = ${type}();`).join(" ")}
  for (var first = begin; first < end; first += ${lanes}u) {
    ${turn(begun, spread, profile)}
  }
  ${finish(begun, spread, parts)}`;
  const perTurn = Math.ceil(lanes / spread.deep) + 2 * lanes;
  return shader.groups(body, (resolve) => (parts?.count ?? 1) * resolve(items), lanes, {
    iterations: (resolve) => Math.ceil(resolve(operands.length) / lanes) * (perTurn + counts[0]) + counts[1] + lanes,
  });
}

/** Join what the parts of each query found: an invocation for each number of the result. */
export function joinPositionsKernel(
  { query, value, target }: AttentionOperands,
  parts: PositionParts,
  profile: Profile,
): Dispatch {
  const shader = new Shader("attention parts");
  const E = value.shape[3] as number;
  const source = shader.read(parts.storage, "f32");
  const out = shader.write(target.storage, "f32");
  const [count, width] = [parts.count, E].map((d) => shader.parameter(d));
  const shape = [...query.shape.slice(0, 3), E];
  const part = `((index / ${width}) * ${count} + part) * (${width} + 2u)`;
  const body = `var largest = ${lowest};
  for (var part = 0u; part < ${count}; part++) { largest = max(largest, ${source(`${part} + ${width}`)}); }
  var total = 0.0;
  var result = 0.0;
  for (var part = 0u; part < ${count}; part++) {
    let found = ${part};
    let factor = exp(${source(`found + ${width}`)} - largest);
    total += factor * ${source(`found + ${width} + 1u`)};
    result += factor * ${source(`found + index % ${width}`)};
  }
  ${shader.places(shape, "index", { to: target })}
  ${out.store("to", "result / total")};`;
  return shader.elements(body, multiplyDimensions(1, ...shape), profile.lanes, { iterations: () => 2 * parts.count });
}
