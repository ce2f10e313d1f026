// Matrix products that read texels: with weights that are packed in panels, and of any two views. Rows of x are texels too,
// copied from a buffer, or for a few rows numbers of the buffer itself.
import type { Dimension } from "../../../../src/graph/mod.ts";
import type { TexelShape } from "../../device/profile.ts";
import { broadcastView, isMultiple, type Resolve, type Storage, type View } from "../../program/view.ts";
import type { Epilogue } from "../epilogue.ts";
import type { PanelProduct } from "../panel_matmul.ts";
import { type Dispatch, elementCount, Shader, upTo } from "../shader.ts";
import { type ResultNormalization, writeNormalizedTile } from "./normalized_tile.ts";
import {
  columnsOf,
  leftAcross,
  leftAlong,
  leftNumbers,
  type LeftReader,
  ownColumns,
  rightAcross,
  rightAlong,
  type RightReader,
  sumTile,
  tileLanes,
  writeTile,
} from "./texel_tile.ts";
import { inputsOfTexel, readWeights } from "./texel_weights.ts";

/** Iterations of a loop that writes single numbers. */
const writing = 8;

/**
 * A product with panels that are held as texels.
 *
 * @param options.texels A copy of x's storage, whose offset, rows and inputs are multiples of four; else x is read as numbers.
 * @param options.normalization What is done to the results; a tile has whole rows.
 */
export function texelPanelKernel(
  product: PanelProduct,
  shape: TexelShape,
  { texels, normalization }: { texels?: Storage; normalization?: ResultNormalization } = {},
): Dispatch {
  const { rows, inputs, outputs, weights, from, to, epilogue, target } = product;
  // All inputs of a texel of weights are read at once.
  const own = { ...shape, depth: Math.max(shape.depth, inputsOfTexel(weights)) as TexelShape["depth"] };
  const [tile, columns] = [own.rows, columnsOf(own)];
  const shader = new Shader(`linear texels ${tile}x${columns}${normalization ? " and norm" : ""}`);
  const count = shader.parameter(rows);
  const [first, end] = [from, inputs].map((d) => shader.parameter(d));
  const { left, places } = readRows(shader, own, product, { count, end, texels });
  const { right, places: weightPlaces, advance } = readWeights(shader, own, weights, inputs);
  const results = {
    target,
    epilogue,
    inFours: outputs % 4 === 0,
    rows: count,
    width: shader.parameter(outputs),
    last: shader.parameter(to),
  };
  const body = `let row_tiles = (${count} + ${tile - 1}u) / ${tile}u;
  let first_row = (group % row_tiles) * ${tile}u;
  let begin = group / row_tiles * ${columns}u;
  let first_column = ${first} + begin + lane * 4u;
  ${weightPlaces}
  ${places}
  ${sumTile(own, left, right, { begin: "0u", end, advance: advance(left.depth) })}
  ${normalization ? writeNormalizedTile(shader, own, results, normalization) : writeTile(shader, own, results)}`;
  const strips = Math.ceil((to - from) / columns);
  return shader.groups(body, (resolve) => Math.ceil(resolve(rows) / tile) * strips, tileLanes, {
    operations: (resolve) => 2 * resolve(rows) * inputs * (to - from),
    iterations: () => Math.ceil(inputs / left.depth) + writing,
  });
}

/** The reader of a product's rows, and statements that find them. @param names Expressions: the rows, and their length. */
function readRows(
  shader: Shader,
  shape: TexelShape,
  { x, stride, inputs }: PanelProduct,
  { count, end, texels }: { count: string; end: string; texels?: Storage },
): { left: LeftReader; places: string } {
  const [step, offset] = [stride, x.offset].map((d) => shader.parameter(d));
  const row = (r: string) => `${offset} + min(first_row + ${r}, ${count} - 1u) * ${step}`;
  if (texels) {
    const fetch = shader.readTexels(texels);
    const mask = (texel: string, f: number) =>
      isMultiple(inputs, shape.depth) ? texel : maskFours(texel, `k + ${4 * f}u`, end);
    return {
      left: leftAlong(shape, (g, f) => fetch(`(row_at${g} + k / 4u + ${f}u)`), mask),
      places: rowTexels(shape.rows, (lane) => `(${row(lane)}) / 4u`),
    };
  }
  const source = shader.read(x.storage, "f32");
  const load = (r: number) =>
    inputs % tileLanes === 0
      ? source(`row${r} + k + lane`)
      : `select(0.0, ${source(`row${r} + min(k + lane, ${end} - 1u)`)}, k + lane < ${end})`;
  return {
    left: leftNumbers(shape, load),
    places: upTo(shape.rows).map((r) => `let row${r} = ${row(`${r}u`)};`).join(" "),
  };
}

/** Statements that declare `row_at0`, `row_at1`, …: the first texels of rows `lane`, `lane + 8`, … of a tile. */
function rowTexels(rows: number, place: (row: string) => string): string {
  return upTo(Math.ceil(rows / tileLanes))
    .map((g) => `let row_at${g} = ${place(g === 0 ? "lane" : `lane + ${g * tileLanes}u`)};`).join(" ");
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
export function texelMatmulKernel(
  a: TexelOperand,
  b: TexelOperand,
  target: View,
  epilogue: Epilogue,
  shape: TexelShape,
): Dispatch {
  const [tileRows, tileColumns] = [shape.rows, columnsOf(shape)];
  const shader = new Shader("matmul texels");
  const rank = target.shape.length;
  const [batch, [M, N]] = [target.shape.slice(0, -2), target.shape.slice(-2)];
  const K = a.view.shape.at(-1)!;
  const [rows, columns, depth] = [M, N, K].map((d) => shader.parameter(d));
  const outer = ({ view }: TexelOperand) => {
    const wide = broadcastView(view, [...batch, ...view.shape.slice(-2)]);
    return { strides: wide.strides.slice(0, rank - 2), offset: view.offset };
  };
  const left = readLeft(shader, shape, a, {
    rows,
    depth,
    isWhole: isMultiple(K, texelAxis(a.view) === 1 ? shape.depth : tileLanes),
  });
  const right = readRight(shader, shape, b, { columns, depth, isWhole: isMultiple(K, left.depth) });
  const matrices = elementCount(batch);
  const body = `let column_tiles = (${columns} + ${tileColumns - 1}u) / ${tileColumns}u;
  let row_tiles = (${rows} + ${tileRows - 1}u) / ${tileRows}u;
  let matrix = group / (column_tiles * row_tiles);
  if (matrix >= ${shader.parameter(matrices)}) { return; }
  let first_row = (group % row_tiles) * ${tileRows}u;
  let first_column = ((group / row_tiles) % column_tiles) * ${tileColumns}u + lane * 4u;
  ${shader.places(batch, "matrix", { left: outer(a), right: outer(b) })}
  ${left.places}
  ${right.places}
  ${sumTile(shape, left, right.reader, { begin: "0u", end: depth })}
  ${
    writeTile(shader, shape, {
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
    resolve(matrices) * Math.ceil(resolve(M) / tileRows) * Math.ceil(resolve(N) / tileColumns);
  return shader.groups(body, groups, tileLanes, {
    operations: (resolve) => 2 * resolve(matrices) * resolve(M) * resolve(K) * resolve(N),
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
  shape: TexelShape,
  { view, texels }: TexelOperand,
  { rows, depth, isWhole }: Extent & { rows: string },
): LeftReader & { places: string } {
  const fetch = shader.readTexels(texels);
  const [am, ak] = view.strides.slice(-2).map((d: Dimension) => shader.parameter(d));
  if (texelAxis(view) === 1) {
    const mask = (texel: string, f: number) => isWhole ? texel : maskFours(texel, `k + ${4 * f}u`, depth);
    return {
      ...leftAlong(shape, (g, f) => fetch(`(row_at${g} + k / 4u + ${f}u)`), mask),
      places: rowTexels(shape.rows, (row) => `(left + min(first_row + ${row}, ${rows} - 1u) * ${am}) / 4u`),
    };
  }
  const own = isWhole ? "(k + lane)" : `min(k + lane, ${depth} - 1u)`;
  const mask = (texel: string) => isWhole ? texel : `select(vec4f(), ${texel}, k + lane < ${depth})`;
  return {
    ...leftAcross(shape, (g) => fetch(`((left + ${own} * ${ak} + first_row) / 4u + ${g}u)`), mask),
    places: "",
  };
}

function readRight(
  shader: Shader,
  shape: TexelShape,
  { view, texels }: TexelOperand,
  { columns, depth, isWhole }: Extent & { columns: string },
): { reader: RightReader; places: string } {
  const fetch = shader.readTexels(texels);
  const [bk, bn] = view.strides.slice(-2).map((d: Dimension) => shader.parameter(d));
  if (texelAxis(view) === 1) {
    const place = (s: number) => isWhole ? `(k + ${s}u)` : `min(k + ${s}u, ${depth} - 1u)`;
    return {
      reader: rightAcross(
        shape,
        (s, column) => fetch(`((right + ${place(s)} * ${bk} + first_column + ${column}u) / 4u)`),
      ),
      places: "",
    };
  }
  const name = (column: number) => `column${column}`;
  return {
    reader: rightAlong(
      shape,
      (column, f) => fetch(`(${name(column)} + k / 4u + ${f}u)`),
      (texel, f) => isWhole ? texel : maskFours(texel, `k + ${4 * f}u`, depth),
    ),
    places: ownColumns(shape).map((column) =>
      `let ${name(column)} = (right + min(first_column + ${column}u, ${columns} - 1u) * ${bn}) / 4u;`
    ).join("\n  "),
  };
}
