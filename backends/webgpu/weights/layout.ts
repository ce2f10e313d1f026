// How weights lie in device memory: as stored (raw), as stored but cut into bindings (rows), or packed for products.

/** The outputs of a panel. */
export const panelWidth = 64;
/** The inputs of a panel are padded to a multiple of this. */
export const panelDepth = 8;

/** Some of what is numbered: from the first to before the last. */
export interface Part {
  readonly from: number;
  readonly to: number;
}

/** Entries `from` to `to` of `width` numbers each, as they are stored. */
export interface RowsLayout extends Part {
  readonly kind: "rows";
  readonly width: number;
}

/** Outputs `from` to `to` of a matrix, packed for products. */
export interface PanelLayout extends Part {
  readonly kind: "panels";
  readonly outputs: number;
  readonly inputs: number;
  /** Whether the stored matrix is [outputs, inputs]. */
  readonly byOutput: boolean;
}

/** The layout of one parameter. */
export type PlainLayout = { readonly kind: "raw" } | RowsLayout | PanelLayout;

/** A parameter in a joint layout: how it lies in its part, and where that begins, in bytes. */
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

/** A layout of elements. Each part is one binding. */
export type Layout = PlainLayout | JointLayout;

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

/**
 * The runs of entries, of `width` numbers each, that fit into a binding; each begins at a multiple of 256 bytes.
 * One run where so few entries fit that there are none.
 */
export function rawParts(entries: number, width: number, maxBinding: number): Part[] {
  return cut(0, entries, Math.floor(maxBinding / (4 * width) / 64) * 64 || entries);
}

/** The inputs of a panel, padded. */
export function paddedDepth(inputs: number): number {
  return Math.ceil(inputs / panelDepth) * panelDepth;
}

/** The runs of outputs whose panels fit into a binding. */
export function panelParts(outputs: number, inputs: number, maxBinding: number): Part[] {
  return cut(0, outputs, Math.floor(maxBinding / (4 * paddedDepth(inputs) * panelWidth)) * panelWidth);
}

/** Cut what is from `start` to `end` into parts of `step`; the last may be shorter. */
export function cut(start: number, end: number, step: number): Part[] {
  const parts: Part[] = [];
  for (let from = start; from < end; from += step) parts.push({ from, to: Math.min(end, from + step) });
  return parts;
}

/** The bytes of a layout of a matrix in panels. */
export function panelBytes(outputs: number, inputs: number): number {
  return 4 * Math.ceil(outputs / panelWidth) * panelWidth * paddedDepth(inputs);
}
