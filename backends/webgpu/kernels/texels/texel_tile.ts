// A tile of a matrix product whose operands are texels: some rows and columns by 8 lanes that can broadcast. Think of a
// step as a few numbers of K: all its texels are fetched first, since a fetch is a call that spills registers; then each row
// adds its products. A lane has vectors of four columns, which lie 32 columns apart.
import type { TexelShape } from "../../device/profile.ts";
import { type Epilogue, epilogueCode, readsOperandsAsVec4 } from "../epilogue.ts";
import { isMultiple, type View } from "../../program/view.ts";
import { type Shader, upTo } from "../shader.ts";

/** The invocations of a tile, which are a subgroup. */
export const tileLanes = 8;

/** The columns between a lane's vectors. */
const apart = 4 * tileLanes;
const components = ["x", "y", "z", "w"];

/** How a tile reads its left operand, a. */
export interface LeftReader {
  /** The numbers of K that are read at once: a multiple of four. */
  readonly depth: number;
  /** Statements that read those from `k` on. */
  readonly read: string;
  /** The number of row r and place s of K, for all lanes. */
  readonly at: (r: number, s: number) => string;
}

/** Texels of four numbers of K: a lane reads rows `lane`, `lane + 8`, … @param fetch The texel of row g · 8 + lane, f further on. */
export function leftAlong(
  { rows, depth }: TexelShape,
  fetch: (g: number, f: number) => string,
  mask: (texel: string, f: number) => string,
): LeftReader {
  const all = upTo(Math.ceil(rows / tileLanes)).flatMap((g) => upTo(depth / 4).map((f) => [g, f]));
  return {
    depth,
    read: all.map(([g, f]) => `let a${g}_${f} = ${mask(fetch(g, f), f)};`).join("\n    "),
    at: (r, s) => `subgroupBroadcast(a${r >> 3}_${s >> 2}.${components[s & 3]}, ${r & 7}u)`,
  };
}

/** Texels of four rows: a lane reads a place of K. @param fetch The texel of rows 4 · g to 4 · g + 3. */
export function leftAcross(
  { rows }: TexelShape,
  fetch: (g: number) => string,
  mask: (texel: string) => string,
): LeftReader {
  const groups = upTo(Math.ceil(rows / 4));
  return {
    depth: tileLanes,
    read: groups.map((g) => `let a${g} = ${mask(fetch(g))};`).join("\n    "),
    at: (r, s) => `subgroupBroadcast(a${r >> 2}.${components[r & 3]}, ${s}u)`,
  };
}

/** Numbers of a buffer: a lane reads a place of K, of each row. */
export function leftNumbers({ rows }: TexelShape, load: (row: number) => string): LeftReader {
  return {
    depth: tileLanes,
    read: upTo(rows).map((r) => `let a${r} = ${load(r)};`).join("\n    "),
    at: (r, s) => `subgroupBroadcast(a${r}, ${s}u)`,
  };
}

/** The vectors of a lane. */
const vectorsOf = ({ vectors }: TexelShape): number[] => upTo(vectors);

/** The columns of a tile. */
export const columnsOf = ({ vectors }: TexelShape): number => apart * vectors;

/** How a tile reads its right operand: statements that declare `b0_0`, `b0_1`, …, the vectors of each of `depth` places of K. */
export type RightReader = (depth: number) => string;

/** Texels of four columns. */
export function rightAcross(shape: TexelShape, fetch: (step: number, columns: number) => string): RightReader {
  return (depth) =>
    upTo(depth).map((s) => vectorsOf(shape).map((v) => `let b${s}_${v} = ${fetch(s, v * apart)};`).join(" "))
      .join("\n    ");
}

/** The first columns of a lane's vectors, and all columns of a lane, counted from its first. */
export const ownVectors = (shape: TexelShape): number[] => vectorsOf(shape).map((v) => v * apart);
export const ownColumns = (shape: TexelShape): number[] =>
  ownVectors(shape).flatMap((column) => upTo(4).map((e) => column + e));

/** Texels of four places of K, of each column. */
export function rightAlong(
  shape: TexelShape,
  fetch: (column: number, fours: number) => string,
  mask: (texel: string, fours: number) => string,
): RightReader {
  const vectors = vectorsOf(shape);
  return (depth) => {
    const texels = vectors.flatMap((v) =>
      upTo(4).flatMap((e) => upTo(depth / 4).map((f) => `let t${v}_${e}_${f} = ${mask(fetch(v * apart + e, f), f)};`))
    );
    const turned = upTo(depth).flatMap((s) =>
      vectors.map((v) =>
        `let b${s}_${v} = vec4f(${upTo(4).map((e) => `t${v}_${e}_${s >> 2}.${components[s & 3]}`).join(", ")});`
      )
    );
    return [...texels, ...turned].join("\n    ");
  };
}

/** Statements that add up a tile's products: `c0_0`, `c0_1`, … */
export function sumTile(
  shape: TexelShape,
  left: LeftReader,
  right: RightReader,
  names: { begin: string; end: string; advance?: string },
): string {
  const { rows } = shape;
  const [vectors, steps] = [vectorsOf(shape), upTo(left.depth)];
  const sums = upTo(rows).map((r) =>
    `{ ${steps.map((s) => `let q${s} = ${left.at(r, s)};`).join(" ")} ${
      vectors.map((v) => `c${r}_${v} += ${steps.map((s) => `q${s} * b${s}_${v}`).join(" + ")};`).join(" ")
    } }`
  );
  return `${upTo(rows).flatMap((r) => vectors.map((v) => `var c${r}_${v} = vec4f();`)).join(" ")}
  // Mesa's driver compiles a kernel anew in each dispatch, and keeps them all, where a loop's bound is a parameter that lets
  // it unroll the loop; it does not see that this one is.
  let end = ${names.end} + (group >> 31u);
  for (var k = ${names.begin}; k < end; k += ${left.depth}u) {
    ${left.read}
    ${right(left.depth)}
    ${names.advance ?? ""}
    ${sums.join("\n    ")}
  }`;
}

/** Where a tile's results go. */
export interface TileTarget {
  /** Contiguous. */
  readonly target: View;
  readonly epilogue: Epilogue;
  /** Whether the rows' lengths are a multiple of four. */
  readonly inFours: boolean;
  /** Expressions: the rows, the length of a row, the column after the last, and where row 0 begins. */
  readonly rows: string;
  readonly width: string;
  readonly last: string;
  readonly base?: string;
}

/** Statements that complete and write a tile's results, from row `first_row` and column `first_column`, the lane's first. */
export function writeTile(shader: Shader, shape: TexelShape, to: TileTarget): string {
  const { rows } = shape;
  const vectors = vectorsOf(shape);
  const { epilogue, target, base = "0u", last, width } = to;
  const inFours = to.inFours && isMultiple(target.offset, 4) && readsOperandsAsVec4(epilogue, isMultiple);
  const type = inFours ? "vec4f" : "f32";
  const { bias, complete } = epilogueCode(shader, epilogue, type);
  const out = shader.write(target.storage, type);
  const each = (v: number, write: (value: string, r: number) => string): string =>
    upTo(rows).map((r) => `if (first_row + ${r}u < ${to.rows}) { ${write(`c${r}_${v}`, r)} }`).join("\n    ");
  const place = (r: number) => `${base} + (first_row + ${r}u) * ${width} + n`;
  const start = target.offset === 0 ? "" : ` + ${shader.parameter(target.offset)}${inFours ? " / 4u" : ""}`;
  if (inFours) {
    return vectors.map((v) =>
      `if (first_column + ${v * apart}u < ${last}) {
    let n = first_column + ${v * apart}u;
    let bias = ${bias("(n / 4u)")};
    ${each(v, (value, r) => `let at = (${place(r)}) / 4u; ${out.store(`at${start}`, complete(value, "bias", "at"))};`)}
  }`
    ).join("\n  ");
  }
  return vectors.map((v) =>
    `for (var e = 0u; e < 4u; e++) {
    let n = first_column + ${v * apart}u + e;
    if (n >= ${last}) { break; }
    let bias = ${bias("n")};
    ${each(v, (value, r) => `let at = ${place(r)}; ${out.store(`at${start}`, complete(`${value}[e]`, "bias", "at"))};`)}
  }`
  ).join("\n  ");
}
