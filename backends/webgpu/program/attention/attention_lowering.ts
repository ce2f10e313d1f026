// The lowering of attention: one kernel, chosen by the number of queries.
import { divideDimensions, type Node, type Value } from "../../../../src/graph/mod.ts";
import { attentionOperands, type AttributesOf } from "../../../../src/operators/mod.ts";
import { takeAppends } from "./cache_appends.ts";
import { gpuAttentionSteps } from "./gpu_attention_steps.ts";
import { queryAttentionKernel, splitAttentionKernel } from "../../kernels/attention.ts";
import { broadcastAttentionKernel, canBroadcast } from "../../kernels/attention_broadcast.ts";
import { type AttentionOperands, readsHeadsAsVec4 } from "../../kernels/attention_shader.ts";
import { elementCount } from "../../kernels/shader.ts";
import type { Planner } from "../planner.ts";
import type { Step, Variant } from "../step.ts";
import type { Condition } from "../texels/texel_copies.ts";
import { broadcastView, transposeView, type View } from "../view.ts";

/** The queries up to which the lanes of a workgroup share the keys of one. */
const few = 4;

/** The numbers of keys from which on a few queries are worth copies of keys and values as texels. */
const longKeys = 100_000;

/** The widest heads that kernels keep in registers. */
const maxHeadWidth = 512;

/** The value's view if its last axis is contiguous, else a view of a copy. */
function contiguousLastAxis(planner: Planner, value: Value): View {
  const view = planner.view(value);
  const axis = view.shape.length - 1;
  return view.shape[axis] === 1 || view.strides[axis] === 1 ? view : planner.contiguousView(view);
}

/** Whether the heads are narrow enough for the kernels: those of queries and keys, and those of values. */
export function canAttend([query, , value]: readonly Value[]): boolean {
  return [query, value].every(({ shape: [, , , width] }) => typeof width === "number" && width <= maxHeadWidth);
}

/** Add an attention's steps. */
export function lowerAttention(planner: Planner, node: Node, attributes: AttributesOf<"attention">): void {
  const given = attentionOperands(node.inputs);
  const [query, key, value] = node.inputs.slice(0, 3).map((input) => contiguousLastAxis(planner, input));
  const [rows, H, T, D] = query.shape;
  const [batch, , S] = key.shape;
  const mask = given.mask && planner.view(given.mask);
  const first = mask?.shape[0];
  const shared = first === batch && first !== rows;
  const E = value.shape[3];
  // Results lie as [rows, T, H, E], so that joining the heads moves nothing.
  const float16 = planner.rounded.has(node.outputs[0]) ? "saturated" : undefined;
  const target = transposeView(planner.temporary("float32", [rows, T, H, E], float16), [0, 2, 1, 3]);
  const operands = {
    query,
    key,
    value,
    mask: mask && { view: broadcastView(mask, [shared ? batch : rows, H, T, S]), shared },
    beams: divideDimensions(rows, batch)!,
    length: attributes.length ?? S,
    lengths: given.lengths && planner.contiguous(given.lengths),
    causal: attributes.causal ?? false,
    scale: attributes.scale ?? 1 / Math.sqrt(D as number),
    target,
  };
  const { gpu } = planner.profile;
  const steps = gpu ? gpuAttentionSteps(planner, node, operands, gpu) : [softAttentionStep(planner, node, operands)];
  planner.steps.push(...steps);
  planner.setView(node.outputs[0], target);
}

/** The kernels of an attention on a software adapter: of few queries, which would leave lanes idle, and of many. */
function softAttentionStep(planner: Planner, node: Node, operands: AttentionOperands): Step {
  const { query, key, value } = operands;
  const { profile } = planner;
  const isFew: Condition = (resolve) => resolve(query.shape[2]) <= few;
  const broadcasts = profile.broadcasts && canBroadcast(operands);
  const copies = profile.texels !== undefined && readsHeadsAsVec4(operands) && broadcasts;
  const isLong: Condition = (resolve) => copies && resolve(elementCount(key.shape)) >= longKeys;
  const appends: Condition = (resolve) => resolve(query.shape[2]) === 1 && !isLong(resolve);
  const appended = takeAppends(planner, node, operands, appends);
  const one: Variant[] = appended
    ? [{ when: appends, dispatch: splitAttentionKernel(operands, profile, { appended }) }]
    : [];
  if (!copies) {
    return [
      ...one,
      { when: isFew, dispatch: splitAttentionKernel(operands, profile) },
      { dispatch: broadcasts ? broadcastAttentionKernel(operands) : queryAttentionKernel(operands) },
    ];
  }
  const copied: Condition = (resolve) => !isFew(resolve) || isLong(resolve);
  const [queries, keys, values] = [query, key, value].map((view) => planner.texels.of(view, copied));
  const texels = { query: queries, key: keys, value: values };
  return [
    ...one,
    { when: (resolve) => !isFew(resolve), dispatch: broadcastAttentionKernel(operands, texels) },
    { when: isLong, dispatch: splitAttentionKernel(operands, profile, { texels }) },
    { dispatch: splitAttentionKernel(operands, profile) },
  ];
}
