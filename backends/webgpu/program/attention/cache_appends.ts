// Appends to caches. A decoding step appends one position, and the attention that reads it can write it too: one kernel instead of
// three.
import { type Dimension, isLeaf, type Node, type Shape, type Value } from "../../../../src/graph/mod.ts";
import { type AttributesOf, normalizeAxis } from "../../../../src/operators/mod.ts";
import type { AppendedPosition, DeferredAppend } from "../../kernels/appended_position.ts";
import { type AttentionOperands, readsHeadsAsVec4 } from "../../kernels/attention_shader.ts";
import { appendRowsKernel, copyKernel } from "../../kernels/movement.ts";
import type { Planner } from "../planner.ts";
import { isMultiple, type Resolve, sliceView, type View } from "../view.ts";

/** Where a value is appended, if that is all that is done with it, so that it may be computed there; else undefined. */
export function appendedPlace(planner: Planner, value: Value): View | undefined {
  const { uses, fusion } = planner;
  const [append] = uses.of(value);
  if (!uses.isUsedOnce(value) || append.operator.name !== "cacheAppend" || append.inputs.length > 2) return undefined;
  const [state, x] = append.inputs;
  // Nothing else may read what the state was: it might be computed only after this.
  const isFree = isLeaf(state.node.operator) && uses.isUsedOnce(state);
  if (x !== value || !isFree || fusion.isReadByAttention(append)) return undefined;
  const view = planner.storedView(state);
  const { axis, at = 0 } = append.attributes as AttributesOf<"cacheAppend">;
  const place = sliceOf(view, value.shape, { axis, at });
  planner.setView(value, place);
  planner.texels.forget(view.storage);
  return place;
}

function isSamePlace(a: View, b: View): boolean {
  return a.offset === b.offset && a.strides.join() === b.strides.join();
}

/** The part of a state that something is appended to. */
function sliceOf(state: View, shape: Shape, { axis, at }: { axis: number; at: Dimension }): View {
  const along = normalizeAxis(axis, state.shape.length);
  return sliceView(state, state.shape.map((_, i) => i === along ? at : 0), shape);
}

/** Add a cacheAppend's step. */
export function lowerCacheAppend(planner: Planner, node: Node, { axis, at = 0 }: AttributesOf<"cacheAppend">): void {
  const [state, x] = node.inputs.map((value) => planner.view(value));
  const own = node.inputs[2] && planner.contiguous(node.inputs[2]);
  planner.copyViewsBeforeWrite(state, node);
  const along = normalizeAxis(axis, state.shape.length);
  planner.setView(node.outputs[0], state);
  const place = sliceOf(state, x.shape, { axis, at });
  // It was computed there.
  if (!own && x.storage === place.storage && isSamePlace(x, place)) return;
  const dispatch = own
    ? appendRowsKernel(x, state, { axis: along, at: own }, planner.profile)
    : copyKernel(x, place, planner.profile);
  if (!planner.fusion.isReadByAttention(node)) return planner.addDispatch(dispatch);
  const deferred: DeferredAppend = { x, at: own ?? at };
  planner.appended.set(node, deferred);
  planner.steps.push([{ when: (resolve) => deferred.taken?.(resolve) === true }, { dispatch }]);
}

/**
 * Take over the appends of the keys and values that an attention reads.
 *
 * @param when Where the attention does them: only where they are of one position.
 * @returns Undefined where its kernel cannot do them.
 */
export function takeAppends(
  planner: Planner,
  node: Node,
  operands: AttentionOperands,
  when: (resolve: Resolve) => boolean,
): AppendedPosition | undefined {
  const appends = planner.fusion.appendsOf(node);
  const [keys, values] = appends?.map((append) => planner.appended.get(append)) ?? [];
  if (!appends || !keys || !values) return undefined;
  // Not where it reads copies.
  const cached = appends.map(({ outputs: [value] }) => planner.view(value).storage);
  if (cached[0] !== operands.key.storage || cached[1] !== operands.value.storage) return undefined;
  const factor = readsHeadsAsVec4(operands) ? 4 : 1;
  const fits = [keys.x, values.x].every(({ strides, shape, offset }) =>
    (strides[3] === 1 || shape[3] === 1) && isMultiple(offset, factor) &&
    strides.slice(0, 3).every((stride) => isMultiple(stride, factor))
  );
  if (!fits) return undefined;
  keys.taken = values.taken = when;
  return { key: keys.x, value: values.x, at: keys.at };
}
