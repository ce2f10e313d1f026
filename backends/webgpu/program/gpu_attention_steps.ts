// The steps of an attention on a GPU, one of which may do the work of the cacheAppends before it: a decoding step appends one
// position, and the kernel that reads it can write it too.
import type { Dimension, Node } from "../../../src/graph/mod.ts";
import { type AttributesOf, normalizeAxis } from "../../../src/operators/mod.ts";
import type { GpuShapes } from "../device/profile.ts";
import {
  type AppendedPosition,
  type DeferredAppend,
  joinPositionsKernel,
  positionAttentionKernel,
} from "../kernels/attention_positions.ts";
import { type AttentionOperands, readsHeadsAsVec4 } from "../kernels/attention_shader.ts";
import { canTileAttention, tileAttentionKernel } from "../kernels/attention_tiles.ts";
import { appendRowsKernel, copyKernel } from "../kernels/movement.ts";
import { elementCount } from "../kernels/shader.ts";
import type { Planner } from "./planner.ts";
import type { Step, Variant } from "./step.ts";
import { isMultiple, type Resolve, sliceView, type Storage } from "./view.ts";

/** The most queries of a head that are computed one by one. */
const fewQueries = 8;

/** Where a query has at least so many positions, and there are few queries, workgroups share the positions. */
const manyPositions = 512;
const partsOfPositions = 8;

/** The steps of an attention on a GPU: which kernels run is chosen by the numbers of queries and positions. */
export function gpuAttentionSteps(planner: Planner, node: Node, operands: AttentionOperands, gpu: GpuShapes): Step[] {
  const { profile } = planner;
  const [rows, H, T] = operands.query.shape;
  const items = elementCount([rows, H, T]);
  const E = operands.value.shape[3] as number;
  const isFew = (resolve: Resolve) => resolve(T) <= fewQueries;
  const isSplit = (resolve: Resolve) =>
    isFew(resolve) && resolve(operands.length) >= manyPositions && resolve(items) < gpu.groups;
  const storage: Storage = {
    kind: "temporary",
    elements: (resolve) => resolve(items) * partsOfPositions * (E + 2),
  };
  const parts = { count: partsOfPositions, storage };
  const appended = takeAppends(planner, node, operands);
  const first: Variant[] = appended
    ? [{ when: (resolve) => resolve(T) === 1, dispatch: positionAttentionKernel(operands, { appended }, profile) }]
    : [];
  const many: Variant[] = mayBe(T, (queries) => queries > fewQueries) && canTileAttention(operands, gpu.attention)
    ? [{ when: (resolve) => !isFew(resolve), dispatch: tileAttentionKernel(operands, gpu.attention) }]
    : [];
  if (many.length > 0 && !mayBe(T, (queries) => queries <= fewQueries)) return [many];
  const one: Variant = { dispatch: positionAttentionKernel(operands, {}, profile) };
  if (!mayBe(operands.length, (length) => length >= manyPositions)) return [[...first, ...many, one]];
  const split: Variant = { when: isSplit, dispatch: positionAttentionKernel(operands, { parts }, profile) };
  const skips: Variant[] = first.map(({ when }) => ({ when }));
  return [
    [...first, ...many, split, one],
    [...skips, { when: isSplit, dispatch: joinPositionsKernel(operands, parts, profile) }, {}],
  ];
}

/** Whether a dimension is, or may be, as a condition has it. */
function mayBe(dimension: Dimension, condition: (length: number) => boolean): boolean {
  return typeof dimension !== "number" || condition(dimension);
}

/** Add a cacheAppend's step. */
export function lowerCacheAppend(planner: Planner, node: Node, { axis, at = 0 }: AttributesOf<"cacheAppend">): void {
  const [state, x] = node.inputs.map((value) => planner.view(value));
  const own = node.inputs[2] && planner.contiguous(node.inputs[2]);
  planner.copyViewsBeforeWrite(state, node);
  const along = normalizeAxis(axis, state.shape.length);
  planner.setView(node.outputs[0], state);
  const starts = state.shape.map((_, i) => i === along ? at : 0);
  const dispatch = own
    ? appendRowsKernel(x, state, { axis: along, at: own }, planner.profile)
    : copyKernel(x, sliceView(state, starts, x.shape), planner.profile);
  if (!planner.profile.gpu || !planner.fusion.isReadByAttention(node)) return planner.addDispatch(dispatch);
  const deferred: DeferredAppend = { x, at: own ?? at, taken: false };
  planner.appended.set(node, deferred);
  const T = x.shape[2];
  planner.steps.push([{ when: (resolve) => deferred.taken && resolve(T) === 1 }, { dispatch }]);
}

/** Take over the appends of the keys and values that an attention reads; undefined where its kernel cannot do them. */
function takeAppends(planner: Planner, node: Node, operands: AttentionOperands): AppendedPosition | undefined {
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
  keys.taken = values.taken = true;
  return { key: keys.x, value: values.x, at: keys.at };
}
