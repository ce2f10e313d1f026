// How weights lie in device memory: as stored (raw), as stored but cut into bindings (rows), or packed for products.
import { panelDepth, panelWidth } from "./kernels/panels.ts";

/** Parameters whose elements follow each other in one buffer, as one binding. */
export interface JointLayout {
  readonly kind: "joint";
  readonly bytes: number;
  readonly members: readonly { readonly name: string; readonly layout: MemberLayout; readonly offset: number }[];
}

/** Entries of `width` numbers each as they are stored, but bound in parts. */
export interface RowsLayout {
  readonly kind: "rows";
  /** The entries of the part. */
  readonly from: number;
  readonly to: number;
  readonly width: number;
}

/** How a member of a joint layout lies in its part. */
export type MemberLayout = Exclude<Layout, RowsLayout | JointLayout>;

/** A matrix, or a part of it, packed for products. */
export interface PanelLayout {
  readonly kind: "panels";
  /** The outputs that the part holds. */
  readonly from: number;
  readonly to: number;
  readonly outputs: number;
  readonly inputs: number;
  /** Whether the stored matrix is [outputs, inputs]. */
  readonly byOutput: boolean;
}

/** A layout of a parameter's elements. Each part is one binding. */
export type Layout =
  | { readonly kind: "raw" }
  | JointLayout
  | RowsLayout
  | PanelLayout;

/** A text that equal layouts share; the rows of one parameter are one buffer. */
export function layoutKey(layout: Layout): string {
  if (layout.kind === "joint") return "joint";
  return layout.kind === "panels" ? `panels ${layout.from} ${layout.to} ${layout.byOutput}` : "raw";
}

/** The runs of entries, of `width` numbers each, that fit into a binding; each begins at a multiple of 256 bytes. */
export function rawParts(entries: number, width: number, maxBinding: number): { from: number; to: number }[] {
  return cut(entries, Math.floor(maxBinding / (4 * width) / 64) * 64);
}

/** The inputs of a panel, padded. */
export function paddedDepth(inputs: number): number {
  return Math.ceil(inputs / panelDepth) * panelDepth;
}

/** The runs of outputs whose panels fit into a binding. */
export function panelParts(outputs: number, inputs: number, maxBinding: number): { from: number; to: number }[] {
  return cut(outputs, Math.floor(maxBinding / (4 * paddedDepth(inputs) * panelWidth)) * panelWidth);
}

function cut(total: number, most: number): { from: number; to: number }[] {
  const parts: { from: number; to: number }[] = [];
  for (let from = 0; from < total; from += most) parts.push({ from, to: Math.min(total, from + most) });
  return parts;
}

/** The bytes of a layout of a matrix in panels. */
export function panelBytes(outputs: number, inputs: number): number {
  return 4 * Math.ceil(outputs / panelWidth) * panelWidth * paddedDepth(inputs);
}

/** Pack a matrix into panels, [panels][depth][64], what is missing being zero. */
export function packPanels(matrix: Float32Array, layout: Extract<Layout, { kind: "panels" }>): Float32Array {
  const { from, to, outputs, inputs, byOutput } = layout;
  const depth = paddedDepth(inputs);
  const packed = new Float32Array(Math.ceil((to - from) / panelWidth) * panelWidth * depth);
  for (let n = from; n < to; n++) {
    const at = Math.floor((n - from) / panelWidth) * panelWidth * depth + (n - from) % panelWidth;
    if (byOutput) { for (let k = 0; k < inputs; k++) packed[at + k * panelWidth] = matrix[n * inputs + k]; }
    else for (let k = 0; k < inputs; k++) packed[at + k * panelWidth] = matrix[k * outputs + n];
  }
  return packed;
}
