// Packing a trained parameter again, on the device. Think of the parameter as it is stored as the original, which training
// writes, and of its other layouts as copies that become stale: repacking copies the original into a layout by dispatches,
// which are compiled once and recorded whenever the copy is needed again.
import type { Dispatch } from "../kernels/shader.ts";
import { copyKernel } from "../kernels/movement.ts";
import {
  type JointMember,
  type Layout,
  type MatrixLayout,
  paddedDepth,
  type PanelLayout,
  panelWidth,
  rawLayout,
  wordsOfOutput,
} from "./layout.ts";
import type { Profile } from "../device/profile.ts";
import { type Storage, type View, wholeView } from "../program/view.ts";

/** A block of elements: where it is stored, and where it lies in a layout. */
interface Block {
  readonly from: View;
  readonly to: View;
}

/** The blocks that a matrix consists of: its whole panels, and what is left over for a last one. */
function panelBlocks(name: string, target: Storage, layout: PanelLayout, offset: number): Block[] {
  const { from, to, inputs, outputs, byOutput } = layout;
  // Outputs that are rows are bound by themselves, since a whole table may be larger than a binding.
  const source: Storage = {
    kind: "weights",
    name,
    layout: byOutput ? { kind: "rows", from, to, width: inputs } : rawLayout,
  };
  const [outputStep, inputStep] = byOutput ? [inputs, 1] : [1, outputs];
  const panelStep = paddedDepth(inputs) * panelWidth;
  const whole = Math.floor((to - from) / panelWidth);
  const block = (first: number, panels: number, width: number): Block => {
    const shape = [panels, width, inputs];
    const at = (storage: Storage, strides: number[], offset: number): View => (
      { storage, dataType: "float32", shape, strides, offset }
    );
    const begin = (byOutput ? 0 : from) + first * panelWidth;
    return {
      from: at(source, [panelWidth * outputStep, outputStep, inputStep], begin * outputStep),
      to: at(target, [panelStep, 1, panelWidth], offset + first * panelStep),
    };
  };
  const rest = (to - from) % panelWidth;
  return [...(whole > 0 ? [block(0, whole, panelWidth)] : []), ...(rest > 0 ? [block(whole, 1, rest)] : [])];
}

/** A matrix whose outputs' inputs follow each other. */
function matrixBlock(name: string, target: Storage, layout: MatrixLayout, offset: number): Block {
  const { from, to, inputs, outputs, byOutput } = layout;
  const source: Storage = {
    kind: "weights",
    name,
    layout: byOutput ? { kind: "rows", from, to, width: inputs } : rawLayout,
  };
  const shape = [to - from, inputs];
  const at = (storage: Storage, strides: number[], offset: number): View => (
    { storage, dataType: "float32", shape, strides, offset }
  );
  return {
    from: at(source, byOutput ? [inputs, 1] : [1, outputs], byOutput ? 0 : from),
    to: at(target, [wordsOfOutput(layout), 1], offset),
  };
}

/**
 * The dispatches that pack a parameter's part of a layout again.
 *
 * @param name The name that the layout is held under.
 * @param size The parameter's elements.
 */
export function repackingDispatches(
  name: string,
  layout: Layout,
  member: JointMember,
  size: number,
  profile: Profile,
): Dispatch[] {
  const source: Storage = { kind: "weights", name: member.name, layout: rawLayout };
  const target: Storage = { kind: "weights", name, layout };
  const offset = member.offset / 4;
  const blocks = member.layout.kind === "panels"
    ? panelBlocks(member.name, target, member.layout, offset)
    : member.layout.kind === "matrix"
    ? [matrixBlock(member.name, target, member.layout, offset)]
    : [{ from: wholeView(source, "float32", [size]), to: { ...wholeView(target, "float32", [size]), offset } }];
  return blocks.map(({ from, to }) => copyKernel(from, to, profile));
}
