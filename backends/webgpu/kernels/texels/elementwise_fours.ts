// Elementwise kernels on four neighbouring elements an invocation, for the software adapter: a store of four costs little more
// than a store of one, and what is large is read as texels.
import { type Dimension, divideDimensions, type Shape } from "../../../../src/graph/mod.ts";
import type { Profile } from "../../device/profile.ts";
import { broadcastView, isMultiple, mergeAxes, type Storage, type View } from "../../program/view.ts";
import { emitExpression, type Expression, viewsOf } from "../elementwise.ts";
import { type Dispatch, elementCount, elementType, Shader } from "../shader.ts";

/** How a view is seen four elements at a time. */
interface Fours {
  /** The last axis counts vectors of four. */
  readonly shape: Shape;
  /** Whether the elements of a vector lie side by side, and not all in one place, for each view. */
  readonly isVector: readonly boolean[];
  /** Steps and offsets: in vectors where a view has vectors, else in elements. */
  readonly places: readonly { readonly strides: Shape; readonly offset: Dimension }[];
}

/** Four elements at a time of views of one shape, of which the first has vectors; undefined where rows are no fours. */
export function inFours(shape: Shape, views: readonly View[]): Fours | undefined {
  const merged = mergeAxes(shape, views.map(({ strides }) => strides));
  const last = merged.shape.length - 1;
  if (last < 0 || !isMultiple(merged.shape[last], 4)) return undefined;
  const isVector = merged.strides.map((strides) => strides[last] === 1);
  const fits = merged.strides.every((strides, i) =>
    isVector[i]
      ? [views[i].offset, ...strides.slice(0, last)].every((step) => isMultiple(step, 4))
      : strides[last] === 0
  );
  if (!fits || !isVector[0]) return undefined;
  const quarter = (d: Dimension): Dimension => d === 0 ? 0 : divideDimensions(d, 4)!;
  return {
    shape: [...merged.shape.slice(0, last), quarter(merged.shape[last])],
    isVector,
    places: merged.strides.map((strides, i) =>
      isVector[i]
        ? { strides: [...strides.slice(0, last).map(quarter), 1], offset: quarter(views[i].offset) }
        : { strides, offset: views[i].offset }
    ),
  };
}

/**
 * Compute an expression into a view of its shape, which may be one that it reads; undefined where rows are no fours.
 *
 * @param texelsOf A copy of a view's storage as texels, where it is to be read as such.
 */
export function elementwiseFoursKernel(
  label: string,
  expression: Expression,
  target: View,
  texelsOf: (view: View) => Storage | undefined,
  profile: Profile,
): Dispatch | undefined {
  const operands = viewsOf(expression).map((view) => broadcastView(view, expression.shape));
  const fours = inFours(expression.shape, [target, ...operands]);
  if (!fours) return undefined;
  const { isVector, shape, places } = fours;
  // A storage that is written is bound once, with one type.
  if (operands.some(({ storage }, i) => storage === target.storage && !isVector[i + 1])) return undefined;
  const shader = new Shader(`${label} fours`);
  const type = `vec4<${elementType(target.dataType)}>`;
  const out = shader.write(target.storage, type);
  const loads = operands.map((view, i) => {
    const own = elementType(view.dataType);
    const texels = isVector[i + 1] && own === "f32" ? texelsOf(view) : undefined;
    if (texels) return `let x${i} = ${shader.readTexels(texels)(`at${i}`)};`;
    return `let x${i} = ${shader.read(view.storage, isVector[i + 1] ? `vec4<${own}>` : own)(`at${i}`)};`;
  });
  const parts = ["x", "y", "z", "w"].map((part) =>
    emitExpression(shader, expression, (i) => isVector[i + 1] ? `x${i}.${part}` : `x${i}`, part)
  );
  const named = Object.fromEntries(places.map((place, i) => [i === 0 ? "out" : `at${i - 1}`, place]));
  const body = [
    shader.places(shape, "index", named),
    ...loads,
    ...parts.flatMap(({ lines }) => lines),
    `${out.store("out", `${type}(${parts.map(({ result }) => result).join(", ")})`)};`,
  ];
  return shader.elements(body.join("\n  "), elementCount(shape), profile.lanes);
}
