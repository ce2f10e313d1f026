// Softmax, layer normalisation and top-k: kernels in which the lanes of a workgroup compute one line of a view together. A
// line is the elements along one axis (or the last axes) for given indices of the others.
import { type Dimension, multiplyDimensions, type Shape } from "../../../src/graph/mod.ts";
import type { Profile } from "../device/profile.ts";
import { broadcastView, type View } from "../program/view.ts";
import { emitExpression, type Expression, viewsOf } from "./elementwise.ts";
import { shareAcrossLanes, shareBest } from "./lane_reduction.ts";
import { type Dispatch, elementCount, elementType, Shader } from "./shader.ts";

/** The lines of a view along one axis (or along the last axes, if they are contiguous). */
export interface Lines {
  readonly x: View;
  /** The axes that a line does not lie along. */
  readonly kept: { readonly shape: Shape; readonly strides: Shape };
  readonly length: Dimension;
  readonly stride: Dimension;
}

/** The lines of a view along an axis. */
export function linesAlong(x: View, axis: number): Lines {
  const others = <T>(list: readonly T[]): T[] => list.filter((_, i) => i !== axis);
  return {
    x,
    kept: { shape: others(x.shape), strides: others(x.strides) },
    length: x.shape[axis],
    stride: x.strides[axis],
  };
}

/** The elements of a view as lines of one. */
export function linesOfOne(x: View): Lines {
  return { x, kept: x, length: 1, stride: 1 };
}

/** The invocations of a line: more for lines that are long, or may be. */
function lanesFor(length: Dimension, { rowLanes, longRowLanes }: Profile): number {
  return typeof length === "number" && length <= 1024 ? rowLanes : longRowLanes;
}

/** Finish a kernel of a workgroup a line, guarded against the workgroups that folding adds. */
function lineKernel(
  shader: Shader,
  lines: Dimension,
  lanes: number,
  body: string,
  iterations: (resolve: (d: Dimension) => number) => number,
): Dispatch {
  return shader.groups(
    `if (group >= ${shader.parameter(lines)}) { return; }\n  ${body}`,
    (resolve) => resolve(lines),
    lanes,
    { iterations },
  );
}

/** softmax or its logarithm along a line; target has x's shape. */
export function softmaxKernel(
  { x, kept, length, stride }: Lines,
  target: Lines,
  { logarithm }: { logarithm: boolean },
  profile: Profile,
): Dispatch {
  const shader = new Shader(logarithm ? "logSoftmax" : "softmax");
  const source = shader.read(x.storage, "f32");
  const out = shader.write(target.x.storage, "f32");
  const lanes = lanesFor(length, profile);
  const [end, step, put] = [length, stride, target.stride].map((d) => shader.parameter(d));
  const at = source(`base + j * ${step}`);
  const each = (statement: string) => `for (var j = lane; j < ${end}; j += ${lanes}u) { ${statement} }`;
  const body = `${
    shader.places(kept.shape, "group", {
      base: { strides: kept.strides, offset: x.offset },
      to: { strides: target.kept.strides, offset: target.x.offset },
    })
  }
  var largest = ${source("base")};
  ${each(`largest = max(largest, ${at});`)}
  ${shareAcrossLanes(shader, lanes, "maximum", ["largest"], profile)}
  var total = 0.0;
  ${each(`total += exp(${at} - largest);`)}
  ${shareAcrossLanes(shader, lanes, "sum", ["total"], profile)}
  ${logarithm ? "total = log(total);" : ""}
  ${
    each(
      `${out.store(`to + j * ${put}`, `${logarithm ? `${at} - largest - total` : `exp(${at} - largest) / total`}`)};`,
    )
  }`;
  return lineKernel(shader, elementCount(kept.shape), lanes, body, (r) => 3 * Math.ceil(r(length) / lanes) + 2 * lanes);
}

/**
 * Layer normalisation of contiguous lines.
 *
 * @param x A contiguous view, or what is to be normalised as it is computed.
 * @param target Of x's shape, contiguous.
 */
export function layerNormalizationKernel(
  { x, length, lines }: { x: View | Expression; length: Dimension; lines: Dimension },
  { scale, bias, target }: { scale: View; bias: View; target: View },
  { epsilon }: { epsilon: number },
  profile: Profile,
): Dispatch {
  const shader = new Shader("layerNormalization");
  const element = elementOf(shader, x);
  const [factor, shift] = [scale, bias].map(({ storage }) => shader.read(storage, "f32"));
  const out = shader.write(target.storage, "f32");
  const lanes = lanesFor(length, profile);
  const end = shader.parameter(length);
  const [factorAt, shiftAt] = [scale, bias].map(({ offset }) => offset === 0 ? "" : ` + ${shader.parameter(offset)}`);
  const { statements, value: at } = element("(base + j)");
  const each = (statement: string) => `for (var j = lane; j < ${end}; j += ${lanes}u) { ${statements} ${statement} }`;
  const body = `let base = group * ${end};
  let count = f32(${end});
  var mean = 0.0;
  ${each(`mean += ${at};`)}
  ${shareAcrossLanes(shader, lanes, "sum", ["mean"], profile)}
  mean = mean / count;
  // The first mean is rounded, which shows where it is large against the deviations.
  var rest = 0.0;
  var squares = 0.0;
  ${each(`let d = ${at} - mean; rest += d; squares += d * d;`)}
  ${shareAcrossLanes(shader, lanes, "sum", ["rest", "squares"], profile)}
  rest = rest / count;
  let inverse = 1.0 / sqrt(max(squares / count - rest * rest, 0.0) + ${shader.float(epsilon)});
  ${
    each(
      `${
        out.store("base + j", `(${at} - mean - rest) * inverse * ${factor(`j${factorAt}`)} + ${shift(`j${shiftAt}`)}`)
      };`,
    )
  }`;
  return lineKernel(shader, lines, lanes, body, (r) => 3 * Math.ceil(r(length) / lanes) + 3 * lanes);
}

/** How an element of a contiguous view, or of what is computed, is read: statements, and an expression that they make known. */
function elementOf(shader: Shader, x: View | Expression): (index: string) => { statements: string; value: string } {
  if (!("operands" in x)) {
    const source = shader.read(x.storage, "f32");
    const from = x.offset === 0 ? "" : ` + ${shader.parameter(x.offset)}`;
    return (index) => ({ statements: "", value: source(`${index}${from}`) });
  }
  const views = viewsOf(x).map((view) => broadcastView(view, x.shape));
  const sources = views.map(({ storage, dataType }) => shader.read(storage, elementType(dataType)));
  const names = views.map((_, i) => `at${i}`);
  return (index) => {
    const places = shader.places(x.shape, index, Object.fromEntries(views.map((view, i) => [names[i], view])));
    const { lines, result } = emitExpression(shader, x, (i) => sources[i](names[i]));
    return { statements: [places, ...lines].join(" "), value: `(${result})` };
  };
}

/** How many of the k largest one dispatch of `topKernel` picks. */
const picksAtOnce = 32;

/** The most parts that a line is cut into, each of which is searched again only when its best was picked. */
const maxParts = 512;

/**
 * The k largest of a line, largest first; ties go to the lowest index. Without `values` it is argMax.
 *
 * @param indices Lines of k, whole numbers.
 * @param values Shape [lines, k], contiguous, float32.
 */
export function topKernel(
  { x, kept, length, stride }: Lines,
  { k, indices, values }: { k: number; indices: Lines; values?: View },
  profile: Profile,
): Dispatch {
  const shader = new Shader(values ? "topK" : "argMax");
  const source = shader.read(x.storage, "f32");
  const ids = shader.write(indices.x.storage, "i32");
  const found = values && shader.write(values.storage, "f32");
  const lanes = lanesFor(length, profile);
  const [end, step, picks, put] = [length, stride, k, indices.stride].map((d) => shader.parameter(d));
  shader.declare(`var<workgroup> part_values: array<f32, ${maxParts}>;`);
  shader.declare(`var<workgroup> part_places: array<u32, ${maxParts}>;`);
  // Whether (a, i) is picked before (b, j); a place equal to the line's length stands for no element.
  shader.declare(`fn before(a: f32, i: u32, b: f32, j: u32) -> bool {
  return i != ${end} && (j == ${end} || a > b || (a == b && i < j));
}`);
  // The best element of a part that is picked after the last pick, if there is one.
  shader.declare(`fn search(base: u32, part: u32, parts: u32, last: f32, place: u32) {
  var value = 0.0;
  var at = ${end};
  for (var j = part; j < ${end}; j += parts) {
    let x = ${source(`base + j * ${step}`)};
    if ((place == ${end} || before(last, place, x, j)) && (at == ${end} || x > value)) { value = x; at = j; }
  }
  part_values[part] = value;
  part_places[part] = at;
}`);
  const begin = shader.repeat(k, picksAtOnce);
  const places = shader.places(kept.shape, "group", {
    base: { strides: kept.strides, offset: x.offset },
    to: { strides: indices.kept.strides, offset: indices.x.offset },
  });
  const body = `${places}
  let parts = clamp(${end}, ${lanes}u, ${maxParts}u);
  var value = 0.0;
  var at = ${end};
  if (${begin} > 0u) {
    at = u32(${ids.load(`to + (${begin} - 1u) * ${put}`)});
    value = ${source(`base + at * ${step}`)};
  }
  for (var part = lane; part < parts; part += ${lanes}u) { search(base, part, parts, value, at); }
  let last_pick = min(${picks}, ${begin} + ${picksAtOnce}u);
  for (var pick = ${begin}; pick < last_pick; pick++) {
    value = part_values[lane];
    at = part_places[lane];
    for (var s = lane + ${lanes}u; s < parts; s += ${lanes}u) {
      if (before(part_values[s], part_places[s], value, at)) { value = part_values[s]; at = part_places[s]; }
    }
    ${shareBest(shader, lanes, { value: "value", place: "at", none: end, before: "before" }, profile)}
    if (lane == 0u) {
      ${ids.store(`to + pick * ${put}`, `i32(min(at, ${end} - 1u))`)};
      ${found ? `${found.store(`group * ${picks} + pick`, "value")};` : ""}
    }
    if ((at % parts) % ${lanes}u == lane && pick + 1u < last_pick) { search(base, at % parts, parts, value, at); }
    workgroupBarrier();
  }`;
  const iterations = (n: number) => {
    const parts = Math.min(Math.max(n, lanes), maxParts);
    const perPick = Math.ceil(parts / lanes) + lanes + Math.ceil(n / parts) + 1;
    return Math.ceil(parts / lanes) * (Math.ceil(n / parts) + 1) + Math.min(k, picksAtOnce) * perPick;
  };
  return lineKernel(shader, elementCount(kept.shape), lanes, body, (r) => iterations(r(length)));
}

/** The elements of the last axes together. */
export function lineLength(shape: Shape): Dimension {
  return multiplyDimensions(1, ...shape);
}
