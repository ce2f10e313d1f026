// How weights lie in device memory. Think of a layout as one way to arrange a parameter's elements in a buffer, made once and
// read by many programs: as they are stored (raw), as stored but bound a part at a time (rows), packed for products in panels
// (64 outputs, input by input), or several parameters one after another (joint).

/** The outputs of a panel. */
export const panelWidth = 64;
/** The inputs of a panel are padded to a multiple of this. */
export const panelDepth = 8;

/** A range of indices: `from` and on, up to but without `to`. */
export interface IndexRange {
  readonly from: number;
  readonly to: number;
}

/** Entries `from` to `to` of `width` numbers each, as they are stored. */
export interface RowsLayout extends IndexRange {
  readonly kind: "rows";
  readonly width: number;
}

/** Outputs `from` to `to` of a matrix, packed for products. */
export interface PanelLayout extends IndexRange {
  readonly kind: "panels";
  readonly outputs: number;
  readonly inputs: number;
  /** Whether the stored matrix is [outputs, inputs]. */
  readonly byOutput: boolean;
}

/** The layout of one parameter. */
export type PlainLayout = { readonly kind: "raw" } | RowsLayout | PanelLayout;

/** A parameter in a joint layout: its own layout, and the byte at which it begins. */
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

/** The layout of parameters as they are stored, in which they are trained too. */
export const rawLayout: PlainLayout = { kind: "raw" };

/** Whether a layout is a copy of the parameter in another order: raw and rows are the stored order itself. */
export function isCopy({ kind }: Layout): boolean {
  return kind === "panels" || kind === "joint";
}

/** The name that a joint layout is held under: no parameter's, since no name contains a line break. */
export function jointName(members: readonly JointMember[]): string {
  return members.map(({ name }) => name).join("\n");
}

/** A key that equal layouts of one parameter share; raw and rows are one buffer. */
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
 * The ranges of entries, of `width` numbers each, that fit into a binding; each begins at a multiple of 256 bytes.
 * Where not even 64 entries fit, it is one range of all entries.
 */
export function rowRanges(entries: number, width: number, maxBinding: number): IndexRange[] {
  return splitRange(0, entries, Math.floor(maxBinding / (4 * width) / 64) * 64 || entries);
}

/** The inputs of a panel, padded. */
export function paddedDepth(inputs: number): number {
  return Math.ceil(inputs / panelDepth) * panelDepth;
}

/** The ranges of outputs whose panels fit into a binding. */
export function panelRanges(outputs: number, inputs: number, maxBinding: number): IndexRange[] {
  return splitRange(0, outputs, Math.floor(maxBinding / (4 * paddedDepth(inputs) * panelWidth)) * panelWidth);
}

/** Split the range from `start` to `end` into ranges of `step`; the last may be shorter. */
export function splitRange(start: number, end: number, step: number): IndexRange[] {
  const ranges: IndexRange[] = [];
  for (let from = start; from < end; from += step) ranges.push({ from, to: Math.min(end, from + step) });
  return ranges;
}

/** The bytes of a layout of a matrix in panels. */
export function panelBytes(outputs: number, inputs: number): number {
  return 4 * Math.ceil(outputs / panelWidth) * panelWidth * paddedDepth(inputs);
}
