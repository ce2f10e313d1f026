// The matrix product of any two views: strides, broadcast batches, any sizes. An invocation computes 4 × 4 results.
import { type Dimension, multiplyDimensions, type Shape } from "../../../src/graph/mod.ts";
import type { Profile } from "../profile.ts";
import { broadcastView, type Resolve, type View } from "../view.ts";
import { declareEpilogue, type Epilogue } from "./epilogue.ts";
import { type Dispatch, elementsOf, Shader } from "./shader.ts";

/** The part of K that one dispatch multiplies; the next ones add to it. */
const depthStep = 32_768;

/**
 * target[..., m, n] = Σ a[..., m, k] · b[..., k, n], completed by the epilogue.
 *
 * @param target In a row.
 */
export function matmulKernel(a: View, b: View, target: View, epilogue: Epilogue, profile: Profile): Dispatch {
  const shader = new Shader("matmul");
  const [left, right] = [a, b].map(({ storage }) => shader.read(storage, "f32"));
  const rank = target.shape.length;
  const batch = target.shape.slice(0, -2);
  const [M, N] = target.shape.slice(-2);
  const K = a.shape[a.shape.length - 1];
  const size = [M, N].map((length) => length === 1 ? 1 : 4);
  const [rows, columns, depth] = [M, N, K].map((d) => shader.parameter(d));
  const outer = (view: View): { strides: Shape; offset: Dimension } => {
    const wide = broadcastView(view, [...batch, ...view.shape.slice(-2)]);
    return { strides: wide.strides.slice(0, rank - 2), offset: view.offset };
  };
  const [am, ak, bk, bn] = [...a.strides.slice(-2), ...b.strides.slice(-2)].map((d) => shader.parameter(d));
  declareEpilogue(shader, epilogue, "f32");
  const out = shader.write(target.storage, "f32");
  const begin = shader.repeat(K, depthStep);
  const [ms, ns] = size.map((n) => [...Array(n).keys()]);
  const each = (f: (m: number, n: number) => string, separator = " ") =>
    ms.flatMap((m) => ns.map((n) => f(m, n))).join(separator);
  const body = `let column_tiles = (${columns} + ${size[1] - 1}u) / ${size[1]}u;
  let row_tiles = (${rows} + ${size[0] - 1}u) / ${size[0]}u;
  let tile = group * ${profile.lanes}u + lane;
  let matrix = tile / (column_tiles * row_tiles);
  if (matrix >= ${shader.parameter(elementsOf(batch))}) { return; }
  let n0 = (tile % column_tiles) * ${size[1]}u;
  let m0 = ((tile / column_tiles) % row_tiles) * ${size[0]}u;
  ${shader.places(batch, "matrix", { left: outer(a), right: outer(b) })}
  ${ms.map((m) => `let left${m} = left + min(m0 + ${m}u, ${rows} - 1u) * ${am};`).join(" ")}
  ${ns.map((n) => `let right${n} = right + min(n0 + ${n}u, ${columns} - 1u) * ${bn};`).join(" ")}
  let end = min(${depth}, ${begin} + ${depthStep}u);
  ${each((m, n) => `var c${m}_${n} = 0.0;`)}
  for (var k = ${begin}; k < end; k++) {
    ${ms.map((m) => `let a${m} = ${left}[left${m} + k * ${ak}];`).join(" ")}
    ${ns.map((n) => `let b${n} = ${right}[right${n} + k * ${bk}];`).join(" ")}
    ${each((m, n) => `c${m}_${n} += a${m} * b${n};`)}
  }
  var results = array<f32, ${ms.length * ns.length}>(${each((m, n) => `c${m}_${n}`, ", ")});
  for (var i = 0u; i < ${ms.length * ns.length}u; i++) {
    let m = m0 + i / ${ns.length}u;
    let n = n0 + i % ${ns.length}u;
    if (m < ${rows} && n < ${columns}) {
      let at = (matrix * ${rows} + m) * ${columns} + n;
      var value = results[i];
      if (${begin} > 0u) { value += ${out}[at]; }
      if (end == ${depth}) { value = finish(value, at, n); }
      ${out}[at] = value;
    }
  }`;
  const tiles = (resolve: Resolve) =>
    resolve(multiplyDimensions(1, ...batch)) * Math.ceil(resolve(M) / size[0]) * Math.ceil(resolve(N) / size[1]);
  return shader.groups(body, (resolve) => Math.ceil(tiles(resolve) / profile.lanes), profile.lanes, {
    iterations: () => depthStep + 16,
  });
}
