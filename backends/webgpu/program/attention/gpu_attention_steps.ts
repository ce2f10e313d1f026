// The steps of an attention on a GPU.
import type { Dimension, Node } from "../../../../src/graph/mod.ts";
import type { GpuShapes } from "../../device/profile.ts";
import { joinPositionsKernel, positionAttentionKernel } from "../../kernels/attention_positions.ts";
import type { AttentionOperands } from "../../kernels/attention_shader.ts";
import { canTileAttention, tileAttentionKernel } from "../../kernels/attention_tiles.ts";
import { elementCount } from "../../kernels/shader.ts";
import { takeAppends } from "./cache_appends.ts";
import type { Planner } from "../planner.ts";
import type { Step, Variant } from "../step.ts";
import type { Resolve, Storage } from "../view.ts";

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
  const isOne = (resolve: Resolve) => resolve(T) === 1;
  const appended = takeAppends(planner, node, operands, isOne);
  const first: Variant[] = appended
    ? [{ when: isOne, dispatch: positionAttentionKernel(operands, { appended }, profile) }]
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
