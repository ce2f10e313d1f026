// A tile that has whole rows, whose results are normalised before they are written: a small product and the layer normalisation of
// what it gives, as one kernel. Numbers are those of the kernel that normalises alone.
import { isMultiple, type View } from "../../program/view.ts";
import type { TexelShape } from "../../device/profile.ts";
import { epilogueCode, readsOperandsAsVec4 } from "../epilogue.ts";
import type { PanelProduct } from "../panel_matmul.ts";
import { type Shader, upTo } from "../shader.ts";
import { panelWidth } from "../../weights/layout.ts";
import { ownVectors, tileLanes, type TileTarget } from "./texel_tile.ts";

/** The layer normalisation of a product's results. */
export interface ResultNormalization {
  /** Shape [N], contiguous. */
  readonly scale: View;
  readonly bias: View;
  readonly epsilon: number;
  /** Where its result goes, contiguous: the product's own is not written. */
  readonly target: View;
}

/** The widest rows: lanes keep them in registers. */
const mostColumns = 256;

/** Whether one tile can have whole rows of a product. */
export function canNormalizeResults(
  { outputs, from, to, epilogue }: PanelProduct,
  { scale, bias, target }: ResultNormalization,
): boolean {
  return from === 0 && to === outputs && outputs % panelWidth === 0 && outputs <= mostColumns &&
    readsOperandsAsVec4(epilogue, isMultiple) && [scale, bias, target].every(({ offset }) => isMultiple(offset, 4));
}

/** What the lanes hold of a number, added up. */
const sumOfLanes = (name: string): string =>
  upTo(tileLanes).map((lane) => `subgroupBroadcast(${name}, ${lane}u)`).join(" + ");

/** Statements that complete a tile's results, normalise each row, and write them. */
export function writeNormalizedTile(
  shader: Shader,
  shape: TexelShape,
  { epilogue, rows: count, width }: Pick<TileTarget, "epilogue" | "rows" | "width">,
  { scale, bias, epsilon, target }: ResultNormalization,
): string {
  const { complete, bias: biasOf } = epilogueCode(shader, epilogue, "vec4f");
  const [factor, shift] = [scale, bias].map(({ storage, offset }) => {
    const load = shader.read(storage, "vec4f");
    const start = offset === 0 ? "" : ` + ${shader.parameter(offset)} / 4u`;
    return (at: string) => load(`${at}${start}`);
  });
  const out = shader.write(target.storage, "vec4f");
  const start = target.offset === 0 ? "" : ` + ${shader.parameter(target.offset)} / 4u`;
  const vectors = ownVectors(shape).map((column, v) => ({ v, n: `(first_column + ${column}u) / 4u` }));
  const each = (statement: (v: number) => string) => vectors.map(({ v }) => statement(v)).join(" ");
  const small = shader.float(epsilon);
  const row = (r: number) =>
    `{
    let row = (first_row + ${r}u) * ${width} / 4u;
    ${vectors.map(({ v, n }) => `let y${v} = ${complete(`c${r}_${v}`, biasOf(n), `(row + ${n})`)};`).join("\n    ")}
    var own = 0.0;
    ${each((v) => `own += dot(y${v}, vec4f(1.0));`)}
    let mean = (${sumOfLanes("own")}) / f32(${width});
    ${each((v) => `let d${v} = y${v} - mean;`)}
    var rest = 0.0; var squares = 0.0;
    ${each((v) => `rest += dot(d${v}, vec4f(1.0)); squares += dot(d${v}, d${v});`)}
    // The first mean is rounded, which shows where it is large against the deviations.
    let shifted = (${sumOfLanes("rest")}) / f32(${width});
    let variance = (${sumOfLanes("squares")}) / f32(${width}) - shifted * shifted;
    let inverse = 1.0 / sqrt(max(variance, 0.0) + ${small});
    if (first_row + ${r}u < ${count}) {
      ${
      vectors.map(({ v, n }) =>
        `${out.store(`row + ${n}${start}`, `(d${v} - shifted) * inverse * ${factor(n)} + ${shift(n)}`)};`
      ).join("\n      ")
    }
    }
  }`;
  return upTo(shape.rows).map(row).join("\n  ");
}
