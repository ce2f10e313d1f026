// The matrix product of any two views: strides, broadcast batches, any sizes. An invocation computes 4 × 4 results;
// where lanes can broadcast, 8 lanes compute 16 × 32, and each number of a is loaded once for all lanes.
import type { Dimension, Shape } from "../../../src/graph/mod.ts";
import type { Profile } from "../device/profile.ts";
import { broadcastView, type Resolve, type View } from "../program/view.ts";
import { declareEpilogue, type Epilogue } from "./epilogue.ts";
import type { Elements } from "./element_access.ts";
import { type Dispatch, elementCount, Shader, upTo } from "./shader.ts";

/** The part of K that one dispatch multiplies; the next ones add to it. */
export const depthStep = 32_768;

/** The lanes that broadcast, and the columns of each. */
const broadcastLanes = 8;
const broadcastColumns = 4;

/** A product under construction, with the names of what its kernel reads. */
export interface MatmulShader {
  readonly shader: Shader;
  readonly load: readonly [left: Elements["load"], right: Elements["load"]];
  /** The result number `at`, an expression, and a statement that writes it. */
  readonly result: string;
  readonly write: (value: string) => string;
  readonly lengths: readonly [rows: string, columns: string, depth: string];
  readonly strides: readonly [am: string, ak: string, bk: string, bn: string];
  /** The first of the numbers of K that the dispatch multiplies. */
  readonly begin: string;
  /** Statements that declare `left` and `right`, the places of the matrices number `matrix`. */
  readonly places: string;
  readonly matrices: Dimension;
}

export function beginMatmul(a: View, b: View, target: View, epilogue: Epilogue): MatmulShader {
  const shader = new Shader("matmul");
  const [left, right] = [a, b].map(({ storage }) => shader.read(storage, "f32"));
  const rank = target.shape.length;
  const batch = target.shape.slice(0, -2);
  const K = a.shape[a.shape.length - 1];
  const [rows, columns, depth] = [...target.shape.slice(-2), K].map((d) => shader.parameter(d));
  const outer = (view: View): { strides: Shape; offset: Dimension } => {
    const wide = broadcastView(view, [...batch, ...view.shape.slice(-2)]);
    return { strides: wide.strides.slice(0, rank - 2), offset: view.offset };
  };
  const [am, ak, bk, bn] = [...a.strides.slice(-2), ...b.strides.slice(-2)].map((d) => shader.parameter(d));
  declareEpilogue(shader, epilogue, "f32");
  const out = shader.write(target.storage, "f32");
  const place = `at${target.offset === 0 ? "" : ` + ${shader.parameter(target.offset)}`}`;
  return {
    shader,
    load: [left, right],
    result: out.load(place),
    write: (value) => out.store(place, value),
    lengths: [rows, columns, depth],
    strides: [am, ak, bk, bn],
    begin: shader.repeat(K, depthStep),
    places: shader.places(batch, "matrix", { left: outer(a), right: outer(b) }),
    matrices: elementCount(batch),
  };
}

/** Statements that write `results[i]`, which is of row `m` and column `n`; parts of K add up in the target. */
function writeResults(
  { result, write, lengths: [rows, columns, depth], begin }: MatmulShader,
  count: number,
  at: string,
) {
  return `for (var i = 0u; i < ${count}u; i++) {
    ${at}
    if (m < ${rows} && n < ${columns}) {
      let at = (matrix * ${rows} + m) * ${columns} + n;
      var value = results[i];
      if (${begin} > 0u) { value += ${result}; }
      if (end == ${depth}) { value = finish(value, at, n); }
      ${write("value")};
    }
  }`;
}

/** Text for each pair of rows and columns. */
function each(ms: number[], ns: number[], f: (m: number, n: number) => string, separator = " "): string {
  return ms.flatMap((m) => ns.map((n) => f(m, n))).join(separator);
}

/**
 * target[..., m, n] = Σ a[..., m, k] · b[..., k, n], completed by the epilogue.
 *
 * @param target Contiguous.
 */
export function matmulKernel(a: View, b: View, target: View, epilogue: Epilogue, profile: Profile): Dispatch {
  const parts = beginMatmul(a, b, target, epilogue);
  const { shader, load: [left, right], lengths: [rows, columns, depth], strides: [am, ak, bk, bn], begin } = parts;
  const [M, N] = target.shape.slice(-2);
  const size = [M, N].map((length) => length === 1 ? 1 : 4);
  const [ms, ns] = size.map(upTo);
  const body = `let column_tiles = (${columns} + ${size[1] - 1}u) / ${size[1]}u;
  let row_tiles = (${rows} + ${size[0] - 1}u) / ${size[0]}u;
  let tile = group * ${profile.lanes}u + lane;
  let matrix = tile / (column_tiles * row_tiles);
  if (matrix >= ${shader.parameter(parts.matrices)}) { return; }
  let n0 = (tile % column_tiles) * ${size[1]}u;
  let m0 = ((tile / column_tiles) % row_tiles) * ${size[0]}u;
  ${parts.places}
  ${ms.map((m) => `let left${m} = left + min(m0 + ${m}u, ${rows} - 1u) * ${am};`).join(" ")}
  ${ns.map((n) => `let right${n} = right + min(n0 + ${n}u, ${columns} - 1u) * ${bn};`).join(" ")}
  let end = min(${depth}, ${begin} + ${depthStep}u);
  ${each(ms, ns, (m, n) => `var c${m}_${n} = 0.0;`)}
  for (var k = ${begin}; k < end; k++) {
    ${ms.map((m) => `let a${m} = ${left(`left${m} + k * ${ak}`)};`).join(" ")}
    ${ns.map((n) => `let b${n} = ${right(`right${n} + k * ${bk}`)};`).join(" ")}
    ${each(ms, ns, (m, n) => `c${m}_${n} += a${m} * b${n};`)}
  }
  var results = array<f32, ${ms.length * ns.length}>(${each(ms, ns, (m, n) => `c${m}_${n}`, ", ")});
  ${
    writeResults(
      parts,
      ms.length * ns.length,
      `let m = m0 + i / ${ns.length}u; let n = n0 + i % ${ns.length}u;`,
    )
  }`;
  const tiles = (resolve: Resolve) =>
    resolve(parts.matrices) * Math.ceil(resolve(M) / size[0]) * Math.ceil(resolve(N) / size[1]);
  return shader.groups(body, (resolve) => Math.ceil(tiles(resolve) / profile.lanes), profile.lanes, {
    iterations: () => depthStep + 16,
  });
}

/** The same by a subgroup of 8 lanes, for more than a few rows. */
export function broadcastMatmulKernel(a: View, b: View, target: View, epilogue: Epilogue): Dispatch {
  const parts = beginMatmul(a, b, target, epilogue);
  const { shader, load: [left, right], lengths: [rows, columns, depth], strides: [am, ak, bk, bn], begin } = parts;
  const [M, N] = target.shape.slice(-2);
  const [ms, ns] = [upTo(16), upTo(broadcastColumns)];
  const width = broadcastLanes * broadcastColumns;
  const multiply = (k: string, factor: (m: number) => string) =>
    `{ ${ns.map((n) => `let b${n} = ${right(`right${n} + ${k} * ${bk}`)};`).join(" ")} ${
      ms.map((m) => `{ let x = ${factor(m)}; ${ns.map((n) => `c${m}_${n} += x * b${n};`).join(" ")} }`).join(" ")
    } }`;
  const body = `let column_tiles = (${columns} + ${width - 1}u) / ${width}u;
  let row_tiles = (${rows} + 15u) / 16u;
  let matrix = group / (column_tiles * row_tiles);
  if (matrix >= ${shader.parameter(parts.matrices)}) { return; }
  let m0 = (group % row_tiles) * 16u;
  let n0 = ((group / row_tiles) % column_tiles) * ${width}u + lane;
  ${parts.places}
  ${ms.map((m) => `let left${m} = left + min(m0 + ${m}u, ${rows} - 1u) * ${am};`).join(" ")}
  ${ns.map((n) => `let right${n} = right + min(n0 + ${n * broadcastLanes}u, ${columns} - 1u) * ${bn};`).join(" ")}
  let end = min(${depth}, ${begin} + ${depthStep}u);
  ${each(ms, ns, (m, n) => `var c${m}_${n} = 0.0;`)}
  var k = ${begin};
  for (; k + ${broadcastLanes}u <= end; k += ${broadcastLanes}u) {
    ${ms.map((m) => `let a${m} = ${left(`left${m} + (k + lane) * ${ak}`)};`).join(" ")}
    ${upTo(broadcastLanes).map((s) => multiply(`(k + ${s}u)`, (m) => `subgroupBroadcast(a${m}, ${s}u)`)).join("\n    ")}
  }
  for (; k < end; k++) { ${multiply("k", (m) => left(`left${m} + k * ${ak}`))} }
  var results = array<f32, ${16 * broadcastColumns}>(${each(ms, ns, (m, n) => `c${m}_${n}`, ", ")});
  ${
    writeResults(
      parts,
      16 * broadcastColumns,
      `let m = m0 + i / ${broadcastColumns}u; let n = n0 + (i % ${broadcastColumns}u) * ${broadcastLanes}u;`,
    )
  }`;
  const groups = (resolve: Resolve) =>
    resolve(parts.matrices) * Math.ceil(resolve(M) / 16) * Math.ceil(resolve(N) / width);
  return shader.groups(body, groups, broadcastLanes, {
    iterations: () => depthStep / broadcastLanes + broadcastLanes + 16 * broadcastColumns,
  });
}
