// A tile of a matrix product in workgroup memory. Think of both operands as read in blocks of 4 × 4, four inputs of four rows,
// which are turned in registers, so that workgroup memory has for each input the rows (or columns) one after another as vectors of
// four: then a lane's numbers of an input are a few vectors, and each is used for several results.
import type { MatmulShape } from "../device/profile.ts";
import { type Shader, upTo } from "./shader.ts";

/** How a tile reads an operand. */
export interface TileOperand {
  /** The expression of inputs 4 · k to 4 · k + 3 of a row (or column), both expressions. */
  readonly load: (row: string, k: string) => string;
  /** Whether neighbouring lanes read neighbouring inputs, else neighbouring rows. */
  readonly alongInputs: boolean;
}

/** A tile of a product, under construction. */
export interface Tile {
  /** Statements that declare the sums, and add up inputs `begin` to `end`, in vectors of four. */
  readonly statements: string;
  readonly lanes: number;
  /** Statements for each vector of four sums of a lane: its name, its row and its first column. */
  readonly each: (statement: (sum: string, row: string, column: string) => string) => string;
  /** The iterations of loops for so many inputs. */
  readonly iterations: (inputs: number) => number;
}

/** The lanes of a shape. */
export function lanesOf({ tile, registers }: MatmulShape): number {
  return tile[0] / registers[0] * (tile[1] / registers[1]);
}

/** The inputs that are multiplied in one turn of a loop. */
const unrolled = 4;

/** Statements that bring a block of an operand to workgroup memory. */
function bring(
  shader: Shader,
  name: string,
  { load, alongInputs }: TileOperand,
  width: number,
  shape: MatmulShape,
): string {
  const lanes = lanesOf(shape);
  const [blocks, depth] = [width / 4, shape.depth / 4];
  // Padded, so that lanes that write neighbouring inputs do not write to one bank of memory.
  shader.declare(`var<workgroup> tile_${name}: array<vec4f, ${shape.depth * (blocks + 1)}>;`);
  const [k, block] = alongInputs ? [`i % ${depth}u`, `i / ${depth}u`] : [`i / ${blocks}u`, `i % ${blocks}u`];
  const rows = upTo(4);
  const turned = rows.map((c) =>
    `tile_${name}[(4u * k + ${c}u) * ${blocks + 1}u + block] = vec4f(${
      rows.map((r) => `r${r}.${"xyzw"[c]}`).join(", ")
    });`
  );
  return `for (var i = lane; i < ${blocks * depth}u; i += ${lanes}u) {
      let k = ${k};
      let block = ${block};
      var r0 = vec4f(); var r1 = vec4f(); var r2 = vec4f(); var r3 = vec4f();
      if (first + k < end) {
        ${rows.map((r) => `r${r} = ${load(`first_${name} + 4u * block + ${r}u`, "first + k")};`).join("\n        ")}
      }
      ${turned.join("\n      ")}
    }`;
}

/**
 * Build a tile. The kernel declares `first_a` and `first_b`, the tile's first row and column, and `begin` and `end`, its
 * inputs in vectors of four.
 *
 * @param a Its load gives row numbers beyond the last one's.
 * @param b Likewise of columns.
 */
export function buildTile(shader: Shader, shape: MatmulShape, a: TileOperand, b: TileOperand): Tile {
  const { tile: [height, width], registers: [rows, columns], depth } = shape;
  const lanes = lanesOf(shape);
  const across = width / columns;
  const [ms, vs] = [upTo(rows), upTo(columns / 4)];
  const step = (s: string) =>
    `{ ${
      upTo(rows / 4).map((i) => `let a${i} = tile_a[${s} * ${height / 4 + 1}u + lane_y * ${rows / 4}u + ${i}u];`).join(
        " ",
      )
    } ${vs.map((v) => `let b${v} = tile_b[${s} * ${width / 4 + 1}u + ${v * across}u + lane_x];`).join(" ")}
        ${ms.flatMap((m) => vs.map((v) => `c${m}_${v} += a${m >> 2}.${"xyzw"[m & 3]} * b${v};`)).join(" ")} }`;
  const statements = `let lane_x = lane % ${across}u;
  let lane_y = lane / ${across}u;
  ${ms.flatMap((m) => vs.map((v) => `var c${m}_${v} = vec4f();`)).join(" ")}
  for (var first = begin; first < end; first += ${depth / 4}u) {
    ${bring(shader, "a", a, height, shape)}
    ${bring(shader, "b", b, width, shape)}
    workgroupBarrier();
    for (var s = 0u; s < ${depth}u; s += ${unrolled}u) {
      ${upTo(unrolled).map((u) => step(`(s + ${u}u)`)).join("\n      ")}
    }
    workgroupBarrier();
  }`;
  const turns = depth / unrolled + Math.ceil(height * depth / 16 / lanes) + Math.ceil(width * depth / 16 / lanes);
  return {
    statements,
    lanes,
    each: (statement) =>
      ms.flatMap((m) =>
        vs.map((v) =>
          `{ ${
            statement(
              `c${m}_${v}`,
              `(first_a + lane_y * ${rows}u + ${m}u)`,
              `(first_b + ${4 * v * across}u + 4u * lane_x)`,
            )
          } }`
        )
      ).join("\n  "),
    iterations: (inputs) => Math.ceil(inputs / depth) * (turns + 1),
  };
}
