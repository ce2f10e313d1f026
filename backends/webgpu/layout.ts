// How weights lie in device memory: as stored (raw), as stored but cut into bindings (rows), or packed for products.
import { panelDepth, panelWidth } from "./kernels/panels.ts";

/** A parameter in a joint layout: where its part begins, in bytes, and how it lies there. */
export interface JointMember {
  readonly name: string;
  readonly layout: PlainLayout;
  readonly offset: number;
}

/** Parameters whose elements follow each other in one buffer, as one binding. */
export interface JointLayout {
  readonly kind: "joint";
  readonly bytes: number;
  readonly members: readonly JointMember[];
}

/** Entries of `width` numbers each as they are stored, but bound in parts. */
export interface RowsLayout {
  readonly kind: "rows";
  /** The entries of the part. */
  readonly from: number;
  readonly to: number;
  readonly width: number;
}

/** The layout of one parameter. */
export type PlainLayout = Exclude<Layout, JointLayout>;

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

/** The bytes of a buffer that holds a parameter of `size` elements in a layout. */
export function bytesIn(layout: Layout, size: number): number {
  if (layout.kind === "joint") return layout.bytes;
  return layout.kind === "panels" ? panelBytes(layout.to - layout.from, layout.inputs) : 4 * size;
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
