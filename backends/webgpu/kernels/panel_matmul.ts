// Products with packed weights. Think of the weights [N, K] as cut into panels of 64 outputs, each stored input by input:
// [ceil(N / 64)][K][64], padded with zeros. A workgroup takes a panel and some rows of x and walks along K; at each input its
// lanes read neighbouring weights, which is what memory is fast at. One generator serves one row (a decoding step) to many.
import type { Dimension } from "../../../src/graph/mod.ts";
import type { BlockEncoding } from "../../../src/weights/mod.ts";
import type { Profile } from "../device/profile.ts";
import { isMultiple, type View } from "../program/view.ts";
import { type NumberStorage, paddedDepth, panelDepth, panelWidth } from "../weights/layout.ts";
import { declareEpilogue, type Epilogue, readsOperandsAsVec4 } from "./epilogue.ts";
import type { Elements } from "./element_access.ts";
import { type Dispatch, Shader, upTo } from "./shader.ts";

/** Outputs of a matrix in panels. */
export interface PanelWeights {
  /** The words of the numbers, or of the codes. */
  readonly words: View;
  /** What is not float32 is texels. */
  readonly storage: NumberStorage | BlockEncoding;
  /** One for each block of an output, with codes. */
  readonly scales?: View;
}

/** Operands of a product with packed weights. */
export interface PanelProduct {
  /** Rows of K contiguous numbers: `rows` of them, `stride` elements apart. */
  readonly x: View;
  readonly rows: Dimension;
  readonly stride: Dimension;
  readonly inputs: number;
  /** All outputs: the width of the result's rows. */
  readonly outputs: number;
  /** A part of the weights: outputs `from` to `to`. */
  readonly weights: PanelWeights;
  readonly from: number;
  readonly to: number;
  readonly epilogue: Epilogue;
  /** Rows of `outputs` numbers, contiguous. */
  readonly target: View;
}

/** The rows of the result that a workgroup computes of a panel's columns, of which each of 8 lanes has 8. */
export type TileRows = 1 | 2 | 4 | 8 | 16;

/** The indices of the vectors of 4 columns that a lane computes. */
const vectors = [0, 1];

/** Where a weight of an output and an input lies in panels of a depth: WGSL expressions. */
export function placeInPanels(output: string, input: string, depth: string): string {
  return `(${output} / ${panelWidth}u * ${depth} + ${input}) * ${panelWidth}u + ${output} % ${panelWidth}u`;
}

interface Names {
  readonly source: Elements["load"];
  readonly weights: Elements["load"];
  readonly row: (r: number) => string;
  readonly inputs: string;
  readonly depth: string;
}

/** The loop of a tile over K, A's numbers broadcast from the lane that loaded them, or loaded by every lane. */
function tileLoop(tile: TileRows, names: Names, { broadcasts }: Profile, exact: boolean): string {
  const rows = upTo(tile);
  const lines: string[] = [];
  const load = (r: number, k: string) =>
    exact
      ? names.source(`${names.row(r)} + ${k}`)
      : `select(0.0, ${names.source(`${names.row(r)} + min(${k}, ${names.inputs} - 1u)`)}, ${k} < ${names.inputs})`;
  if (broadcasts) { for (const r of rows) lines.push(`let a${r} = ${load(r, "(k + lane)")};`); }
  for (let step = 0; step < panelDepth; step++) {
    const products = vectors.map((v) => `let b${v} = ${names.weights(`weights_at + ${step * 16 + v}u`)};`);
    for (const r of rows) {
      const a = broadcasts ? `subgroupBroadcast(a${r}, ${step}u)` : load(r, `(k + ${step}u)`);
      products.push(`{ let a = ${a}; ${vectors.map((v) => `c${r}_${v} += a * b${v};`).join(" ")} }`);
    }
    lines.push(`{ ${products.join("\n      ")} }`);
  }
  return `for (var k = 0u; k < ${names.depth}; k += ${panelDepth}u) {
    ${lines.join("\n    ")}
    weights_at += ${panelDepth * 16}u;
  }`;
}

/** Statements that write a tile's results, from `results`, with the epilogue. */
function writeTile(
  { epilogue, target, outputs }: PanelProduct,
  shader: Shader,
  tile: TileRows,
  names: { rows: string; width: string; last: string },
): string {
  const inFours = outputs % 4 === 0 && isMultiple(target.offset, 4) && readsOperandsAsVec4(epilogue, isMultiple);
  declareEpilogue(shader, epilogue, inFours ? "vec4f" : "f32");
  const out = shader.write(target.storage, inFours ? "vec4f" : "f32");
  const write = inFours
    ? `if (n < ${names.last}) {
        let at = (row * ${names.width} + n) / 4u;
        ${out.store("at", "finish(results[i], at, n / 4u)")};
      }`
    : `for (var e = 0u; e < 4u; e++) {
        if (n + e < ${names.last}) {
          let at = row * ${names.width} + n + e;
          ${out.store("at", "finish(results[i][e], at, n + e)")};
        }
      }`;
  const all = upTo(tile).flatMap((r) => vectors.map((v) => `c${r}_${v}`));
  return `var results = array<vec4f, ${all.length}>(${all.join(", ")});
  for (var i = 0u; i < ${all.length}u; i++) {
    let row = first_row + i / ${vectors.length}u;
    let n = first_column + (i % ${vectors.length}u) * 4u;
    if (row < ${names.rows}) {
      ${write}
    }
  }`;
}

/** A product of 8 lanes, each with its own columns of a tile in registers. */
export function panelKernel(product: PanelProduct, tile: TileRows, profile: Profile): Dispatch {
  const { x, rows, stride, inputs, outputs, weights, from, to } = product;
  const shader = new Shader(`linear ${tile}x${panelWidth}`);
  const names = {
    source: shader.read(x.storage, "f32"),
    weights: shader.read(weights.words.storage, "vec4f"),
    rows: shader.parameter(rows),
    inputs: shader.parameter(inputs),
    depth: shader.parameter(paddedDepth(inputs)),
    width: shader.parameter(outputs),
    last: shader.parameter(to),
    row: (r: number) => `row${r}`,
  };
  const [step, offset, first] = [stride, x.offset, from].map((d) => shader.parameter(d));
  const range = upTo(tile);
  const body = `let row_tiles = (${names.rows} + ${tile - 1}u) / ${tile}u;
  let first_row = (group % row_tiles) * ${tile}u;
  let panel = group / row_tiles;
  let first_column = ${first} + panel * ${panelWidth}u + lane * ${4 * vectors.length}u;
  var weights_at = panel * ${names.depth} * ${panelWidth / 4}u + lane * ${vectors.length}u;
  ${range.map((r) => `let row${r} = ${offset} + min(first_row + ${r}u, ${names.rows} - 1u) * ${step};`).join("\n  ")}
  ${range.flatMap((r) => vectors.map((v) => `var c${r}_${v} = vec4f();`)).join(" ")}
  ${tileLoop(tile, names, profile, inputs % panelDepth === 0)}
  ${writeTile(product, shader, tile, names)}`;
  const panels = Math.ceil((to - from) / panelWidth);
  return shader.groups(body, (resolve) => Math.ceil(resolve(rows) / tile) * panels, 8, {
    operations: (resolve) => 2 * resolve(rows) * inputs * (to - from),
    iterations: () => Math.ceil(inputs / panelDepth) + 5 * tile * vectors.length,
  });
}
