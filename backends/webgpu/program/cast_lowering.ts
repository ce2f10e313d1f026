// Casts. What is rounded to float16 only to be widened again later is held as 16 bits in between. Where memory holds 16 bits for
// each number as it is, a cast is another view of it.
import type { Node, Value } from "../../../src/graph/mod.ts";
import { fromHalvesKernel, halvesKernel } from "../kernels/movement.ts";
import { elementCount } from "../kernels/shader.ts";
import type { Planner } from "./planner.ts";
import { float16Of, type Storage, type View } from "./view.ts";

/** Whether a value is a float16 that nothing but casts to float32 reads. */
function isHeldAsHalves({ uses }: Planner, value: Value): boolean {
  if (value.dataType !== "float16" || value.node.inputs[0].dataType !== "float32") return false;
  if (uses.outputs.has(value) || uses.inPlace.has(value)) return false;
  return uses.of(value).every(({ operator, outputs }) => operator.name === "cast" && outputs[0].dataType === "float32");
}

/** A cast's result as a view of its operand: float16 as it is held, widened or not, or what is rounded as it is appended. */
function seenAs(planner: Planner, input: Value, value: Value): View | undefined {
  const { uses, profile } = planner;
  const widens = input.dataType === "float16" && value.dataType === "float32";
  const narrows = input.dataType === "float32" && value.dataType === "float16";
  if (!profile.float16 || !widens && !narrows || uses.outputs.has(value) || uses.inPlace.has(value)) return undefined;
  const isAppended = () =>
    uses.of(value).every(({ operator, inputs }) => operator.name === "cacheAppend" && inputs[0] !== value);
  if (narrows && !planner.rounded.has(input) && !isAppended()) return undefined;
  const view = planner.view(input);
  return float16Of(view.storage) || narrows && isAppended() ? { ...view, dataType: value.dataType } : undefined;
}

/** Lower a cast. */
export function lowerCast(planner: Planner, node: Node): void {
  const [input] = node.inputs;
  const [value] = node.outputs;
  const { profile } = planner;
  const words = planner.halves.get(input);
  const seen = words ? undefined : seenAs(planner, input, value);
  if (seen) planner.setView(value, seen);
  else if (words) {
    planner.addDispatch(fromHalvesKernel(words, planner.target(value), profile));
  } else if (isHeldAsHalves(planner, value)) {
    const count = elementCount(value.shape);
    const storage: Storage = { kind: "temporary", elements: (resolve) => Math.ceil(resolve(count) / 2) };
    planner.halves.set(value, storage);
    planner.addDispatch(halvesKernel(planner.contiguous(input), storage, profile));
  } else planner.lowerElementwise(node);
}
