// Reductions: an invocation for each result and chunk of what it reduces; running sums.
import type { Dimension, Shape } from "../../../src/graph/mod.ts";
import type { Profile } from "../device/profile.ts";
import { rowMajor, type View } from "../program/view.ts";
import { rank } from "./float_bits.ts";
import type { Elements } from "./element_access.ts";
import { type Dispatch, elementCount, elementType, Shader } from "./shader.ts";

/** How results are combined. */
export type Combination = "sum" | "maximum";

/** The most elements one invocation reduces. */
export const reductionChunk = 4096;

/** What is reduced: the axes that stay and those that go, as parts of one view. */
export interface Reduced {
  readonly x: View;
  readonly kept: { readonly shape: Shape; readonly strides: Shape };
  readonly reduced: { readonly shape: Shape; readonly strides: Shape };
}

function combine(
  shader: Shader,
  combination: Combination,
): { start: (first: () => string) => string; step: (x: string) => string } {
  if (combination === "sum") return { start: () => "0.0", step: (x) => `total = total + ${x};` };
  // The maximum is NaN where an element is NaN.
  const isMore = `${rank(shader, "next")} > ${rank(shader, "total")}`;
  return { start: (first) => first(), step: (x) => `let next = ${x}; if (${isMore}) { total = next; }` };
}

/**
 * Reduce each chunk of each result: target [kept, chunks], contiguous.
 *
 * @param chunks Whether there may be more than one chunk; `reduceChunksKernel` reduces them to one result.
 */
export function reduceKernel(
  { x, kept, reduced }: Reduced,
  target: View,
  { combination, chunks, scale }: { combination: Combination; chunks: boolean; scale?: Dimension },
  profile: Profile,
): Dispatch {
  const shader = new Shader("reduce");
  const source = shader.read(x.storage, "f32");
  const out = shader.write(target.storage, "f32");
  const length = elementCount(reduced.shape);
  const all = shader.parameter(length);
  const count = elementCount(kept.shape);
  const { start, step } = combine(shader, combination);
  const split = chunks ? `let parts = (${all} + ${reductionChunk - 1}u) / ${reductionChunk}u;` : "";
  const body = `${split}
  let result = ${chunks ? "index / parts" : "index"};
  let begin = ${chunks ? `(index % parts) * ${reductionChunk}u` : "0u"};
  let end = ${chunks ? `min(${all}, begin + ${reductionChunk}u)` : all};
  ${shader.places(kept.shape, "result", { base: { strides: kept.strides, offset: x.offset } })}
  var total = ${start(() => firstOf(shader, source, reduced))};
  for (var j = begin; j < end; j++) {
    ${shader.places(reduced.shape, "j", { at: { strides: reduced.strides, offset: 0 } })}
    ${step(source("base + at"))}
  }
  ${out.store("index", `total${scale === undefined ? "" : ` / f32(${shader.parameter(scale)})`}`)};`;
  if (!chunks) {
    return shader.elements(body, count, profile.lanes, { iterations: (resolve) => resolve(length) });
  }
  const total = (resolve: (d: Dimension) => number) => resolve(count) * Math.ceil(resolve(length) / reductionChunk);
  const results = shader.parameter(count);
  return shader.groups(
    `let index = group * ${profile.lanes}u + lane;
  if (index >= ${results} * ((${all} + ${reductionChunk - 1}u) / ${reductionChunk}u)) { return; }
  ${body}`,
    (resolve) => Math.ceil(total(resolve) / profile.lanes),
    profile.lanes,
    { iterations: () => reductionChunk },
  );
}

function firstOf(shader: Shader, source: Elements["load"], { shape, strides }: Reduced["reduced"]): string {
  // The chunk's first element: its place is computed as in the loop.
  const terms = rowMajor(shape).map((stride, axis) =>
    `((begin / ${shader.parameter(stride)}) % ${shader.parameter(shape[axis])}) * ${shader.parameter(strides[axis])}`
  );
  return source(`base + ${terms.join(" + ") || "0u"}`);
}

/** Reduce what is left of each result's chunks of `chunk` elements: partial [kept, chunks of `length`] to target, both contiguous. */
export function reduceChunksKernel(
  partial: View,
  target: View,
  { length, chunk, combination, scale }: {
    length: Dimension;
    chunk: number;
    combination: Combination;
    scale?: Dimension;
  },
  profile: Profile,
): Dispatch {
  const shader = new Shader("reduce parts");
  const source = shader.read(partial.storage, "f32");
  const out = shader.write(target.storage, "f32");
  const { start, step } = combine(shader, combination);
  const body = `let parts = (${shader.parameter(length)} + ${chunk - 1}u) / ${chunk}u;
  let base = index * parts;
  var total = ${start(() => source("base"))};
  for (var j = 0u; j < parts; j++) { ${step(source("base + j"))} }
  ${out.store("index", `total${scale === undefined ? "" : ` / f32(${shader.parameter(scale)})`}`)};`;
  return shader.elements(body, elementCount(target.shape), profile.lanes, {
    iterations: (resolve) => Math.ceil(resolve(length) / chunk),
  });
}

/** The elements of a line that one dispatch of `cumulativeSumKernel` takes. */
const sumStep = 32_768;

/** Running sums along `axis`, both views contiguous; `reversed` sums from the end. */
export function cumulativeSumKernel(
  x: View,
  target: View,
  { axis, reversed }: { axis: number; reversed: boolean },
  profile: Profile,
): Dispatch {
  const shader = new Shader("cumulativeSum");
  const type = elementType(x.dataType);
  const source = shader.read(x.storage, type);
  const out = shader.write(target.storage, type);
  const inner = elementCount(x.shape.slice(axis + 1));
  const [length, step] = [x.shape[axis], inner].map((d) => shader.parameter(d));
  const offset = shader.parameter(x.offset);
  const begin = shader.repeat(x.shape[axis], sumStep);
  const place = (j: string) => `base + ${reversed ? `(${length} - 1u - ${j})` : j} * ${step}`;
  const body = `let base = (index / ${step}) * ${length} * ${step} + index % ${step};
  var total = ${type}(0);
  if (${begin} > 0u) { total = ${out.load(place(`(${begin} - 1u)`))}; }
  let end = min(${length}, ${begin} + ${sumStep}u);
  for (var j = ${begin}; j < end; j++) {
    let at = ${place("j")};
    total = total + ${source(`${offset} + at`)};
    ${out.store("at", "total")};
  }`;
  const lines = elementCount(x.shape.filter((_, i) => i !== axis));
  return shader.elements(body, lines, profile.lanes, { iterations: () => sumStep });
}
