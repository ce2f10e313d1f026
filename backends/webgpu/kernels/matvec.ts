// Products of few rows, as a decoding step has them. Think of a workgroup as having some outputs: its lanes read the weights of
// those together, each every so many vectors of four inputs, for all rows of x at once, and their sums are added in the end. What
// such a kernel costs is reading the weights once.
import type { Dimension } from "../../../src/graph/mod.ts";
import type { MatvecShape, Profile } from "../device/profile.ts";
import { isMultiple, type View } from "../program/view.ts";
import { declareEpilogue, type Epilogue } from "./epilogue.ts";
import { shareAcrossLanes, sumToLanes } from "./lane_reduction.ts";
import { declareWeight, type MatrixWeights } from "./matrix_weights.ts";
import { type Dispatch, Shader, upTo } from "./shader.ts";

/** A layer normalisation of the rows of a product, computed by each of its workgroups. */
export interface Prologue {
  /** Shape [K], contiguous. */
  readonly scale: View;
  readonly bias: View;
  readonly epsilon: number;
}

/** Rows that a product's own kernel normalises. */
export interface NormalizedRows {
  readonly prologue: Prologue;
  /** The rows as they were before. */
  readonly x: View;
  readonly stride: Dimension;
}

/** Operands of a product with a matrix whose outputs have their inputs one after another. */
export interface MatrixProduct {
  /** Rows of K contiguous numbers: `rows` of them, `stride` elements apart. */
  readonly x: View;
  readonly rows: Dimension;
  readonly stride: Dimension;
  readonly inputs: number;
  /** All outputs: the width of the result's rows. */
  readonly outputs: number;
  /** A part of the weights: outputs `from` to `to`. */
  readonly weights: MatrixWeights;
  readonly from: number;
  readonly to: number;
  readonly epilogue: Epilogue;
  /** Rows of `outputs` numbers, contiguous. */
  readonly target: View;
}

/** The most rows that one workgroup computes. */
export const mostMatvecRows = 8;

/** Whether rows can be read in vectors of four. */
export function readsRowsAsVec4({ x, stride, inputs }: Pick<MatrixProduct, "x" | "stride" | "inputs">): boolean {
  return inputs % 4 === 0 && isMultiple(x.offset, 4) && isMultiple(stride, 4);
}

/** Declare `input(row, k)`, inputs 4 · k to 4 · k + 3 of a row of x, zero after the last, and return its name. */
export function declareInput(shader: Shader, product: Pick<MatrixProduct, "x" | "stride" | "inputs">): string {
  const { x, stride, inputs } = product;
  const wide = readsRowsAsVec4(product);
  const source = shader.read(x.storage, wide ? "vec4f" : "f32");
  const [step, offset, end] = [stride, x.offset, inputs].map((d) => shader.parameter(d));
  const each = upTo(4).map((i) =>
    `select(0.0, ${source(`at + min(4u * k + ${i}u, ${end} - 1u)`)}, 4u * k + ${i}u < ${end})`
  );
  shader.declare(
    wide
      ? `fn input(row: u32, k: u32) -> vec4f { return ${source(`(${offset} + row * ${step}) / 4u + k`)}; }`
      : `fn input(row: u32, k: u32) -> vec4f {
  let at = ${offset} + row * ${step};
  return vec4f(${each.join(", ")});
}`,
  );
  return "input";
}

/** The vectors of a lane that are read in one turn of its loop. */
const unrolled = 4;

/** Statements for each vector of four inputs that a lane has, whose index is `k`. */
function eachVector(vectors: string, lanes: number, statement: string): string {
  const ahead = `${(unrolled - 1) * lanes}u`;
  return `{
    var k = lane;
    for (; k + ${ahead} < ${vectors}; k += ${unrolled * lanes}u) {
      ${upTo(unrolled).map((u) => `{ let at = k + ${u * lanes}u; ${statement} }`).join("\n      ")}
    }
    for (; k < ${vectors}; k += ${lanes}u) { let at = k; ${statement} }
  }`;
}

/** Statements that declare, for each row r, the `mean{r}` and the factor `inverse{r}` that normalise it. */
function normalize(
  shader: Shader,
  { rows, count, vectors, lanes, input }: {
    rows: number[];
    count: string;
    vectors: string;
    lanes: number;
    input: string;
  },
  { epsilon }: Prologue,
  profile: Profile,
): string {
  const names = (name: string) => rows.map((r) => `${name}${r}`);
  const share = (list: string[]) => shareAcrossLanes(shader, lanes, "sum", list, profile);
  const each = (statement: (r: number) => string) => rows.map(statement).join(" ");
  return `${each((r) => `var mean${r} = 0.0; var rest${r} = 0.0; var inverse${r} = 0.0;`)}
  ${eachVector(vectors, lanes, each((r) => `mean${r} += dot(${input}(row${r}, at), vec4f(1.0));`))}
  ${share(names("mean"))}
  ${each((r) => `mean${r} = mean${r} / ${count};`)}
  ${
    eachVector(
      vectors,
      lanes,
      each((r) =>
        `{ let d = ${input}(row${r}, at) - mean${r}; rest${r} += dot(d, vec4f(1.0)); inverse${r} += dot(d, d); }`
      ),
    )
  }
  ${share([...names("rest"), ...names("inverse")])}
  // The first mean is rounded, which shows where it is large against the deviations.
  ${
    each((r) =>
      `rest${r} = rest${r} / ${count}; mean${r} = mean${r} + rest${r};
  inverse${r} = 1.0 / sqrt(max(inverse${r} / ${count} - rest${r} * rest${r}, 0.0) + ${shader.float(epsilon)});`
    )
  }`;
}

/**
 * A product of up to `rows` rows.
 *
 * @param prologue The rows are normalised first; they can be read in vectors of four.
 */
export function matvecKernel(
  product: MatrixProduct,
  { rows, shape, prologue }: { rows: number; shape: MatvecShape; prologue?: Prologue },
  profile: Profile,
): Dispatch {
  const { inputs, outputs, weights, from, to, epilogue, target } = product;
  const { lanes } = shape;
  const shader = new Shader(`matvec ${rows}x${shape.outputs}${prologue ? " after norm" : ""}`);
  const weight = declareWeight(shader, weights);
  const input = declareInput(shader, product);
  const [count, width, last, first, vectors] = [product.rows, outputs, to, from, Math.ceil(inputs / 4)]
    .map((d) => shader.parameter(d));
  declareEpilogue(shader, epilogue, "f32");
  const out = shader.write(target.storage, "f32");
  const [rowList, outputList] = [upTo(rows), upTo(shape.outputs)];
  const sums = rowList.flatMap((r) => outputList.map((o) => `sum${r}_${o}`));
  let value = (r: number) => `${input}(row${r}, at)`;
  let before = "";
  if (prologue) {
    const [scale, bias] = [prologue.scale, prologue.bias].map(({ storage, offset }) =>
      shader.read(storage, "vec4f")(`${shader.parameter(offset)} / 4u + at`)
    );
    const names = { rows: rowList, count: `f32(${shader.parameter(inputs)})`, vectors, lanes, input };
    before = normalize(shader, names, prologue, profile);
    value = (r) => `(${input}(row${r}, at) - mean${r}) * inverse${r} * ${scale} + ${bias}`;
  }
  const multiply = `${rowList.map((r) => `let x${r} = ${value(r)};`).join(" ")} ${
    outputList.map((o) =>
      `{ let w = ${weight}(n${o}, at); ${rowList.map((r) => `sum${r}_${o} += dot(w, x${r});`).join(" ")} }`
    )
      .join(" ")
  }`;
  const body = `let own = group * ${shape.outputs}u;
  if (${first} + own >= ${last}) { return; }
  ${rowList.map((r) => `let row${r} = min(${r}u, ${count} - 1u);`).join(" ")}
  ${outputList.map((o) => `let n${o} = min(own + ${o}u, ${last} - ${first} - 1u);`).join(" ")}
  ${before}
  ${sums.map((name) => `var ${name} = 0.0;`).join(" ")}
  ${eachVector(vectors, lanes, multiply)}
  ${sumToLanes(shader, lanes, sums, profile)}
  let row = lane / ${shape.outputs}u;
  let n = ${first} + own + lane % ${shape.outputs}u;
  if (lane < ${sums.length}u && row < ${count} && n < ${last}) {
    let at = row * ${width} + n;
    ${out.store("at", "finish(total, at, n)")};
  }`;
  return shader.groups(body, () => Math.ceil((to - from) / shape.outputs), lanes, {
    operations: (resolve) => 2 * resolve(product.rows) * inputs * (to - from),
    iterations: () => 3 * (Math.ceil(inputs / 4 / lanes) + 2) + 4 * lanes,
  });
}
