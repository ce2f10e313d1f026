// Matrix products that read texels: with weights that are packed in panels, and of any two views. Rows of x are texels too,
// copied from a buffer, or for a few rows numbers of the buffer itself.
import type { Dimension } from "../../../../src/graph/mod.ts";
import { broadcastView, isMultiple, type Resolve, type Storage, type View } from "../../program/view.ts";
import { paddedDepth, panelWidth } from "../../weights/layout.ts";
import type { Epilogue } from "../epilogue.ts";
import type { PanelProduct } from "../panel_matmul.ts";
import { type Dispatch, elementCount, Shader } from "../shader.ts";
import {
  leftAcross,
  leftAlong,
  leftNumbers,
  type LeftReader,
  rightAcross,
  rightAlong,
  type RightReader,
  sumTile,
  tileColumns,
  writeTile,
} from "./texel_tile.ts";

/** The rows of a tile whose left operand is texels. */
export const texelRows = 8;

/** The invocations of a tile, which are a subgroup. */
const lanes = 8;

/** Iterations of a loop that writes single numbers. */
const writing = 8;

/**
 * A product with panels that are held as texels.
 *
 * @param tile The rows of a tile; 8 where x is texels.
 * @param texels A copy of x's storage, whose offset, rows and inputs are multiples of four.
 */
export function texelPanelKernel(product: PanelProduct, tile: number, texels?: Storage): Dispatch {
  const { x, rows, stride, inputs, outputs, weights, from, to, epilogue, target } = product;
  const shader = new Shader(`linear texels ${tile}x${panelWidth}`);
  const count = shader.parameter(rows);
  const [step, offset, first] = [stride, x.offset, from].map((d) => shader.parameter(d));
  const [end, depth] = [inputs, paddedDepth(inputs)].map((d) => shader.parameter(d));
  const fetchWeight = shader.readTexels(weights.storage);
  const row = (r: string) => `${offset} + min(first_row + ${r}, ${count} - 1u) * ${step}`;
  let left: LeftReader;
  let rowPlaces: string;
  if (texels) {
    const fetch = shader.readTexels(texels);
    rowPlaces = `let row_at = (${row("lane")}) / 4u;`;
    left = leftAlong(tile, () => fetch("(row_at + k / 4u)"), (texel) => texel);
  } else {
    const source = shader.read(x.storage, "f32");
    rowPlaces = Array.from({ length: tile }, (_, r) => `let row${r} = ${row(`${r}u`)};`).join(" ");
    left = leftNumbers(
      tile,
      (r) =>
        inputs % 8 === 0
          ? `${source}[row${r} + k + lane]`
          : `select(0.0, ${source}[row${r} + min(k + lane, ${end} - 1u)], k + lane < ${end})`,
    );
  }
  const fours = panelWidth / 4;
  const right = rightAcross((s, columns) => fetchWeight("weights_at", s * fours + columns / 4));
  const advance = `weights_at += ${left.depth * fours}u;`;
  const body = `let row_tiles = (${count} + ${tile - 1}u) / ${tile}u;
  let first_row = (group % row_tiles) * ${tile}u;
  let panel = group / row_tiles;
  let first_column = ${first} + panel * ${panelWidth}u + lane * 4u;
  var weights_at = panel * ${depth} * ${fours}u + lane;
  ${rowPlaces}
  ${sumTile(tile, left, right, { begin: "0u", end, advance })}
  ${
    writeTile(shader, tile, {
      target,
      epilogue,
      inFours: outputs % 4 === 0,
      rows: count,
      width: shader.parameter(outputs),
      last: shader.parameter(to),
    })
  }`;
  const panels = Math.ceil((to - from) / panelWidth);
  return shader.groups(body, (resolve) => Math.ceil(resolve(rows) / tile) * panels, lanes, {
    iterations: () => Math.ceil(inputs / left.depth) + writing,
  });
}

/** A matrix operand of {@linkcode texelMatmulKernel}: a view, and the texels that its storage is copied to. */
export interface TexelOperand {
  readonly view: View;
  readonly texels: Storage;
}

/** Which of a matrix's last two axes is contiguous, where texels of it can be read; undefined where they cannot. */
export function texelAxis({ shape, strides, offset }: View): 0 | 1 | undefined {
  const rank = shape.length;
  const outer = [offset, ...strides.slice(0, -2)];
  if (!outer.every((step, i) => isMultiple(step, 4) || i > 0 && shape[i - 1] === 1)) return undefined;
  const isRow = (axis: number) => strides[axis] === 1 || shape[axis] === 1;
  const steps = (axis: number) => isMultiple(strides[axis], 4) || shape[axis] === 1;
  if (isRow(rank - 1) && steps(rank - 2)) return 1;
  return isRow(rank - 2) && steps(rank - 1) ? 0 : undefined;
}

/**
 * target[..., m, n] = Σ a[..., m, k] · b[..., k, n], completed by the epilogue, where both have a {@linkcode texelAxis}.
 *
 * @param target Contiguous.
 */
export function texelMatmulKernel(a: TexelOperand, b: TexelOperand, target: View, epilogue: Epilogue): Dispatch {
  const shader = new Shader("matmul texels");
  const rank = target.shape.length;
  const [batch, [M, N]] = [target.shape.slice(0, -2), target.shape.slice(-2)];
  const K = a.view.shape.at(-1)!;
  const [rows, columns, depth] = [M, N, K].map((d) => shader.parameter(d));
  const outer = ({ view }: TexelOperand) => {
    const wide = broadcastView(view, [...batch, ...view.shape.slice(-2)]);
    return { strides: wide.strides.slice(0, rank - 2), offset: view.offset };
  };
  const left = readLeft(shader, a, { rows, depth, isWhole: isMultiple(K, texelAxis(a.view) === 1 ? 4 : 8) });
  const right = readRight(shader, b, { columns, depth, isWhole: isMultiple(K, left.depth) });
  const matrices = elementCount(batch);
  const body = `let column_tiles = (${columns} + ${tileColumns - 1}u) / ${tileColumns}u;
  let row_tiles = (${rows} + ${texelRows - 1}u) / ${texelRows}u;
  let matrix = group / (column_tiles * row_tiles);
  if (matrix >= ${shader.parameter(matrices)}) { return; }
  let first_row = (group % row_tiles) * ${texelRows}u;
  let first_column = ((group / row_tiles) % column_tiles) * ${tileColumns}u + lane * 4u;
  ${shader.places(batch, "matrix", { left: outer(a), right: outer(b) })}
  ${left.places}
  ${right.places}
  ${sumTile(texelRows, left, right.reader, { begin: "0u", end: depth })}
  ${
    writeTile(shader, texelRows, {
      target,
      epilogue,
      inFours: isMultiple(N, 4),
      rows,
      width: columns,
      last: columns,
      base: `matrix * ${rows} * ${columns}`,
    })
  }`;
  const groups = (resolve: Resolve) =>
    resolve(matrices) * Math.ceil(resolve(M) / texelRows) * Math.ceil(resolve(N) / tileColumns);
  return shader.groups(body, groups, lanes, {
    iterations: (resolve) => Math.ceil(resolve(K) / left.depth) + writing,
  });
}

/** What a reader knows of the product: expressions, and whether all of its steps along K are whole. */
interface Extent {
  readonly depth: string;
  readonly isWhole: boolean;
}

/** A texel without the numbers from `depth` on, of which the first is at `k`. */
const maskFours = (texel: string, k: string, depth: string): string =>
  `select(vec4f(), ${texel}, (vec4u(${k}) + vec4u(0u, 1u, 2u, 3u)) < vec4u(${depth}))`;

function readLeft(
  shader: Shader,
  { view, texels }: TexelOperand,
  { rows, depth, isWhole }: Extent & { rows: string },
): LeftReader & { places: string } {
  const fetch = shader.readTexels(texels);
  const [am, ak] = view.strides.slice(-2).map((d: Dimension) => shader.parameter(d));
  if (texelAxis(view) === 1) {
    const mask = (texel: string) => isWhole ? texel : maskFours(texel, "k", depth);
    return {
      ...leftAlong(texelRows, () => fetch("(row_at + k / 4u)"), mask),
      places: `let row_at = (left + min(first_row + lane, ${rows} - 1u) * ${am}) / 4u;`,
    };
  }
  const own = isWhole ? "(k + lane)" : `min(k + lane, ${depth} - 1u)`;
  const mask = (texel: string) => isWhole ? texel : `select(vec4f(), ${texel}, k + lane < ${depth})`;
  return {
    ...leftAcross(texelRows, (g) => fetch(`((left + ${own} * ${ak} + first_row) / 4u + ${g}u)`), mask),
    places: "",
  };
}

function readRight(
  shader: Shader,
  { view, texels }: TexelOperand,
  { columns, depth, isWhole }: Extent & { columns: string },
): { reader: RightReader; places: string } {
  const fetch = shader.readTexels(texels);
  const [bk, bn] = view.strides.slice(-2).map((d: Dimension) => shader.parameter(d));
  if (texelAxis(view) === 1) {
    const place = (s: number) => isWhole ? `(k + ${s}u)` : `min(k + ${s}u, ${depth} - 1u)`;
    return {
      reader: rightAcross((s, column) => fetch(`((right + ${place(s)} * ${bk} + first_column + ${column}u) / 4u)`)),
      places: "",
    };
  }
  const name = (column: number) => `column${column}`;
  const all = [0, 1, 2, 3, 32, 33, 34, 35];
  return {
    reader: rightAlong(
      (column, f) => fetch(`(${name(column)} + k / 4u + ${f}u)`),
      (texel, f) => isWhole ? texel : maskFours(texel, `k + ${4 * f}u`, depth),
    ),
    places: all.map((column) =>
      `let ${name(column)} = (right + min(first_column + ${column}u, ${columns} - 1u) * ${bn}) / 4u;`
    ).join("\n  "),
  };
}
