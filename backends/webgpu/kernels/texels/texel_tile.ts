// A tile of a matrix product whose operands are texels: some rows and 64 columns by 8 lanes that can broadcast. Think of a
// step as a few numbers of K: all its texels are fetched first, since a fetch is a call that spills registers; then each row
// adds its products. A lane has eight columns, as two vectors of four that lie 32 columns apart.
import { type Epilogue, epilogueCode, readsOperandsAsVec4 } from "../epilogue.ts";
import { isMultiple, type View } from "../../program/view.ts";
import { type Shader, upTo } from "../shader.ts";

/** The columns of a tile. */
export const tileColumns = 64;

/** The columns between a lane's two vectors. */
const apart = 32;
const vectors = [0, 1];
const components = ["x", "y", "z", "w"];

/** How a tile reads its left operand, a. */
export interface LeftReader {
  /** The numbers of K that are read at once: 4 or 8. */
  readonly depth: 4 | 8;
  /** Statements that read those from `k` on. */
  readonly read: string;
  /** The number of row r and place s of K, for all lanes. */
  readonly at: (r: number, s: number) => string;
}

/** Texels of four numbers of K, a row each: a lane reads the row `row_of(lane)`. */
export function leftAlong(rows: number, fetch: (group: number) => string, mask: (texel: string) => string): LeftReader {
  const groups = upTo(Math.ceil(rows / 8));
  return {
    depth: 4,
    read: groups.map((g) => `let a${g} = ${mask(fetch(g))};`).join("\n    "),
    at: (r, s) => `subgroupBroadcast(a${r >> 3}.${components[s]}, ${r & 7}u)`,
  };
}

/** Texels of four rows: a lane reads a place of K. */
export function leftAcross(
  rows: number,
  fetch: (group: number) => string,
  mask: (texel: string) => string,
): LeftReader {
  const groups = upTo(Math.ceil(rows / 4));
  return {
    depth: 8,
    read: groups.map((g) => `let a${g} = ${mask(fetch(g))};`).join("\n    "),
    at: (r, s) => `subgroupBroadcast(a${r >> 2}.${components[r & 3]}, ${s}u)`,
  };
}

/** Numbers of a buffer: a lane reads a place of K, of each row. */
export function leftNumbers(rows: number, load: (row: number) => string): LeftReader {
  return {
    depth: 8,
    read: upTo(rows).map((r) => `let a${r} = ${load(r)};`).join("\n    "),
    at: (r, s) => `subgroupBroadcast(a${r}, ${s}u)`,
  };
}

/** How a tile reads its right operand: statements that declare `b0_0`, `b0_1`, …, the vectors of each of `depth` places of K. */
export type RightReader = (depth: number) => string;

/** Texels of four columns. */
export function rightAcross(fetch: (step: number, columns: number) => string): RightReader {
  return (depth) =>
    upTo(depth).map((s) => vectors.map((v) => `let b${s}_${v} = ${fetch(s, v * apart)};`).join(" ")).join("\n    ");
}

/** Texels of four places of K, of each column. */
export function rightAlong(
  fetch: (column: number, fours: number) => string,
  mask: (texel: string, fours: number) => string,
): RightReader {
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
  rows: number,
  left: LeftReader,
  right: RightReader,
  names: { begin: string; end: string; advance?: string },
): string {
  const steps = upTo(left.depth);
  const sums = upTo(rows).map((r) =>
    `{ ${steps.map((s) => `let q${s} = ${left.at(r, s)};`).join(" ")} ${
      vectors.map((v) => `c${r}_${v} += ${steps.map((s) => `q${s} * b${s}_${v}`).join(" + ")};`).join(" ")
    } }`
  );
  return `${upTo(rows).flatMap((r) => vectors.map((v) => `var c${r}_${v} = vec4f();`)).join(" ")}
  for (var k = ${names.begin}; k < ${names.end}; k += ${left.depth}u) {
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
export function writeTile(shader: Shader, rows: number, to: TileTarget): string {
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
    ${each(v, (value, r) => `let at = (${place(r)}) / 4u; ${out}[at${start}] = ${complete(value, "bias", "at")};`)}
  }`
    ).join("\n  ");
  }
  return vectors.map((v) =>
    `for (var e = 0u; e < 4u; e++) {
    let n = first_column + ${v * apart}u + e;
    if (n >= ${last}) { break; }
    let bias = ${bias("n")};
    ${each(v, (value, r) => `let at = ${place(r)}; ${out}[at${start}] = ${complete(`${value}[e]`, "bias", "at")};`)}
  }`
  ).join("\n  ");
}
