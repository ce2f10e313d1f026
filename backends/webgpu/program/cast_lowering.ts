// Casts. What is rounded to float16 only to be widened again later is held as 16 bits in between.
import type { Node, Value } from "../../../src/graph/mod.ts";
import { fromHalvesKernel, halvesKernel } from "../kernels/half_storage.ts";
import { elementCount } from "../kernels/shader.ts";
import type { Planner } from "./planner.ts";
import type { Storage } from "./view.ts";

/** Whether a value is a float16 that nothing but casts to float32 reads. */
function isHeldAsHalves({ uses }: Planner, value: Value): boolean {
  if (value.dataType !== "float16" || value.node.inputs[0].dataType !== "float32") return false;
  if (uses.outputs.has(value) || uses.inPlace.has(value)) return false;
  return uses.of(value).every(({ operator, outputs }) => operator.name === "cast" && outputs[0].dataType === "float32");
}

/** Lower a cast. */
export function lowerCast(planner: Planner, node: Node): void {
  const [input] = node.inputs;
  const [value] = node.outputs;
  const { profile } = planner;
  const words = planner.halves.get(input);
  if (words) {
    planner.addDispatch(fromHalvesKernel(words, planner.target(value), profile));
  } else if (isHeldAsHalves(planner, value)) {
    const count = elementCount(value.shape);
    const storage: Storage = { kind: "temporary", elements: (resolve) => Math.ceil(resolve(count) / 2) };
    planner.halves.set(value, storage);
    planner.addDispatch(halvesKernel(planner.contiguous(input), storage, profile));
  } else planner.lowerElementwise(node);
}
