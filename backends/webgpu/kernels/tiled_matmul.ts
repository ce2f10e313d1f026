// Products of many rows on GPUs: tiles in workgroup memory, of a matrix of weights or of any two views. Where a product has too
// few tiles to keep the device busy, several workgroups share a tile's inputs, and a second kernel adds up what they found.
import type { Dimension } from "../../../src/graph/mod.ts";
import type { MatmulShape, Profile } from "../device/profile.ts";
import { isMultiple, type Resolve, type View } from "../program/view.ts";
import { declareEpilogue, type Epilogue, readsOperandsAsVec4 } from "./epilogue.ts";
import { beginMatmul, depthStep } from "./matmul.ts";
import { declareInput, type MatrixProduct } from "./matvec.ts";
import { declareWeight } from "./matrix_weights.ts";
import type { Elements } from "./element_access.ts";
import { type Dispatch, elementCount, Shader } from "./shader.ts";
import { buildTile, type TileOperand } from "./tile.ts";

/** The tiles of a product. */
export function tilesOf({ rows, from, to }: Pick<MatrixProduct, "rows" | "from" | "to">, { tile }: MatmulShape) {
  return (resolve: Resolve): number => Math.ceil(resolve(rows) / tile[0]) * Math.ceil((to - from) / tile[1]);
}

interface Place {
  readonly width: string;
  readonly last: string;
  readonly rows: string;
}

/** Statements that write four results of a row, in one vector where that can be, completed by `finish` or not. */
function write(
  shader: Shader,
  { target, outputs, epilogue }: { target: View; outputs: number; epilogue?: Epilogue },
  { width, last, rows }: Place,
): (sum: string, row: string, column: string) => string {
  const inFours = outputs % 4 === 0 && isMultiple(target.offset, 4) && readsOperandsAsVec4(epilogue ?? {}, isMultiple);
  const type = inFours ? "vec4f" : "f32";
  if (epilogue) declareEpilogue(shader, epilogue, type);
  const out = shader.write(target.storage, type);
  const finish = (value: string, n: string) => epilogue ? `finish(${value}, at, ${n})` : value;
  return (sum, row, column) =>
    inFours
      ? `let n = ${column}; if (${row} < ${rows} && n < ${last}) { let at = (row_base + ${row} * ${width} + n) / 4u; ${
        out.store("at", finish(sum, "n / 4u"))
      }; }`
      : `if (${row} < ${rows}) {
    for (var e = 0u; e < 4u; e++) {
      let n = ${column} + e;
      if (n < ${last}) { let at = row_base + ${row} * ${width} + n; ${out.store("at", finish(`${sum}[e]`, "n"))}; }
    }
  }`;
}

/**
 * A product with a matrix of weights.
 *
 * @param split How many workgroups share a tile's inputs, and where each leaves its sums: [parts, rows, to − from], contiguous.
 */
export function tiledKernel(
  product: MatrixProduct,
  shape: MatmulShape,
  split?: { readonly parts: number; readonly partial: View },
): Dispatch {
  const { inputs, outputs, weights, from, to, epilogue, target } = product;
  const shader = new Shader(split ? "matmul tiles split" : "matmul tiles");
  const weight = declareWeight(shader, weights);
  const input = declareInput(shader, product);
  const vectors = Math.ceil(inputs / 4);
  const [rows, last, first, all] = [product.rows, to, from, vectors].map((d) => shader.parameter(d));
  const tile = buildTile(
    shader,
    shape,
    { load: (row, k) => `${input}(min(${row}, ${rows} - 1u), ${k})`, alongInputs: true },
    { load: (n, k) => `${weight}(min(${n}, ${last} - 1u) - ${first}, ${k})`, alongInputs: true },
  );
  const parts = split?.parts ?? 1;
  // Whole steps of a tile for each part.
  const perPart = Math.ceil(vectors / (shape.depth / 4) / parts) * (shape.depth / 4);
  const range = split
    ? `let part = group % ${shader.parameter(parts)};
  let tile = group / ${shader.parameter(parts)};
  let begin = part * ${shader.parameter(perPart)};
  let end = min(${all}, begin + ${shader.parameter(perPart)});
  let row_base = part * ${rows} * (${last} - ${first});`
    : `let tile = group;
  let begin = 0u;
  let end = ${all};
  let row_base = 0u;`;
  const place = { rows, last, width: shader.parameter(split ? to - from : outputs) };
  const result = split
    ? write(shader, { target: split.partial, outputs: to - from }, { ...place, last: `(${last} - ${first})` })
    : write(shader, { target, outputs, epilogue }, place);
  const column = (n: string) => split ? `(${n} - ${first})` : n;
  const body = `let row_tiles = (${rows} + ${shape.tile[0] - 1}u) / ${shape.tile[0]}u;
  ${range}
  let first_a = (tile % row_tiles) * ${shape.tile[0]}u;
  let first_b = ${first} + (tile / row_tiles) * ${shape.tile[1]}u;
  if (first_b >= ${last}) { return; }
  ${tile.statements}
  ${tile.each((sum, row, n) => result(sum, row, column(n)))}`;
  const tiles = tilesOf(product, shape);
  return shader.groups(body, (resolve) => parts * tiles(resolve), tile.lanes, {
    operations: (resolve) => 2 * resolve(product.rows) * inputs * (to - from),
    iterations: () => tile.iterations(4 * perPart) + shape.registers[0] * shape.registers[1],
  });
}

/** Add up what the parts of a split product found, and complete it. */
export function combineKernel(
  product: MatrixProduct,
  split: { parts: number; partial: View },
  profile: Profile,
): Dispatch {
  const { rows, outputs, from, to, epilogue, target } = product;
  const shader = new Shader("matmul parts");
  const source = shader.read(split.partial.storage, "f32");
  const [parts, width, first, all] = [split.parts, to - from, from, outputs].map((d) => shader.parameter(d));
  const count = elementCount([rows, to - from]);
  const each = shader.parameter(count);
  declareEpilogue(shader, epilogue, "f32");
  const out = shader.write(target.storage, "f32");
  const body = `var value = 0.0;
  for (var part = 0u; part < ${parts}; part++) { value += ${source(`part * ${each} + index`)}; }
  let n = ${first} + index % ${width};
  let at = index / ${width} * ${all} + n;
  ${out.store("at", "finish(value, at, n)")};`;
  return shader.elements(body, count, profile.lanes, { iterations: () => split.parts });
}

/** Whether the elements of a matrix lie one after another along its last axis, or the one before. */
function operand(
  shader: Shader,
  name: string,
  { load, base, along, across, inputs, count }:
    & { readonly load: Elements["load"] }
    & Readonly<Record<"base" | "along" | "across" | "inputs" | "count", string>>,
  alongInputs: boolean,
): TileOperand {
  const each = [0, 1, 2, 3].map((i) =>
    `select(0.0, ${load(`at + min(4u * k + ${i}u, ${inputs} - 1u) * ${along}`)}, 4u * k + ${i}u < ${inputs})`
  );
  shader.declare(`fn ${name}(base: u32, row: u32, k: u32) -> vec4f {
  let at = base + min(row, ${count} - 1u) * ${across};
  return vec4f(${each.join(", ")});
}`);
  return { load: (row, k) => `${name}(${base}, ${row}, ${k})`, alongInputs };
}

/**
 * The product of any two views: target[..., m, n] = Σ a[..., m, k] · b[..., k, n], completed by the epilogue.
 *
 * @param target Contiguous.
 */
export function tiledViewsKernel(a: View, b: View, target: View, epilogue: Epilogue, shape: MatmulShape): Dispatch {
  const parts = beginMatmul(a, b, target, epilogue);
  const { shader, load: [left, right], lengths: [rows, columns, depth], strides: [am, ak, bk, bn], begin } = parts;
  const [M, N] = target.shape.slice(-2);
  const tile = buildTile(
    shader,
    shape,
    operand(
      shader,
      "left_of",
      { load: left, base: "left", along: ak, across: am, inputs: depth, count: rows },
      a.strides.at(-2) !== 1 || a.strides.at(-1) === 1,
    ),
    operand(
      shader,
      "right_of",
      { load: right, base: "right", along: bk, across: bn, inputs: depth, count: columns },
      b.strides.at(-1) !== 1,
    ),
  );
  const body = `let column_tiles = (${columns} + ${shape.tile[1] - 1}u) / ${shape.tile[1]}u;
  let row_tiles = (${rows} + ${shape.tile[0] - 1}u) / ${shape.tile[0]}u;
  let matrix = group / (column_tiles * row_tiles);
  if (matrix >= ${shader.parameter(parts.matrices)}) { return; }
  let first_a = (group % row_tiles) * ${shape.tile[0]}u;
  let first_b = ((group / row_tiles) % column_tiles) * ${shape.tile[1]}u;
  ${parts.places}
  let begin = ${begin} / 4u;
  let end = (min(${depth}, ${begin} + ${depthStep}u) + 3u) / 4u;
  ${tile.statements}
  ${
    tile.each((sum, row, column) =>
      `for (var e = 0u; e < 4u; e++) {
    let m = ${row};
    let n = ${column} + e;
    if (m < ${rows} && n < ${columns}) {
      let at = (matrix * ${rows} + m) * ${columns} + n;
      var value = ${sum}[e];
      if (${begin} > 0u) { value += ${parts.result}; }
      if (4u * end >= ${depth}) { value = finish(value, at, n); }
      ${parts.write("value")};
    }
  }`
    )
  }`;
  const groups = (resolve: Resolve) =>
    resolve(parts.matrices) * Math.ceil(resolve(M) / shape.tile[0]) * Math.ceil(resolve(N) / shape.tile[1]);
  const dimension = (d: Dimension, resolve: Resolve) => Math.min(resolve(d), depthStep);
  return shader.groups(body, groups, tile.lanes, {
    iterations: (resolve) =>
      tile.iterations(dimension(a.shape.at(-1)!, resolve)) + shape.registers[0] * shape.registers[1],
  });
}
