// How weights lie in device memory. Think of a layout as one way to arrange a parameter's elements in a buffer, made once and
// read by many programs: as they are stored (raw), as stored but bound a part at a time (rows), packed for products in panels
// (64 outputs, input by input), an output's inputs one after another (matrix), the codes and the scales of weights of few bits,
// by output or in panels, or several parameters one after another (joint).

import { type BlockEncoding, blockShapes } from "../../../src/weights/mod.ts";
import type { TexelFormat } from "../device/texels.ts";

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
  /** With float16 four outputs of two inputs are four words. */
  readonly storage: NumberStorage;
}

/** How a number of a matrix is held: as it is computed with, or as float16, two in a word. */
export type NumberStorage = "float32" | "float16";

/** Outputs `from` to `to` of a matrix, each with its inputs one after another, padded with zeros to {@linkcode matrixDepth}. */
export interface MatrixLayout extends IndexRange {
  readonly kind: "matrix";
  readonly outputs: number;
  readonly inputs: number;
  /** Whether the stored matrix is [outputs, inputs]. */
  readonly byOutput: boolean;
  readonly storage: NumberStorage;
}

/** The codes or the scales of outputs `from` to `to` of a matrix in blocks, as `Blocks` has them. */
export interface BlockLayout extends IndexRange {
  readonly kind: "codes" | "scales";
  readonly shape: readonly number[];
  readonly encoding: BlockEncoding;
}

/**
 * The same in panels of 64 outputs. Of 8 bits, four words hold four outputs of four inputs: a word an input, a byte an output. Of
 * 4 bits, they hold four outputs of eight inputs: a word two inputs, the first in its lower half. Scales lie as numbers do, with
 * a block in place of an input.
 */
export interface PanelBlockLayout extends IndexRange {
  readonly kind: "panel codes" | "panel scales";
  readonly shape: readonly number[];
  readonly encoding: BlockEncoding;
}

/** The layout of one parameter. */
export type PlainLayout =
  | { readonly kind: "raw" }
  | RowsLayout
  | PanelLayout
  | MatrixLayout
  | BlockLayout
  | PanelBlockLayout;

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

/**
 * How a device that reads texels holds a layout, if as such: panels, and several parameters' panels. What is no float32 is whole
 * numbers, since a device may change the bits of what it takes for NaN.
 */
export function texelFormatOf(layout: Layout): TexelFormat | undefined {
  const plain = layout.kind === "joint" ? layout.members[0].layout : layout;
  switch (plain.kind) {
    case "panels":
      return plain.storage === "float32" ? "rgba32float" : "rgba32uint";
    case "panel codes":
      return "rgba32uint";
    case "panel scales":
      return "rgba32float";
    default:
      return undefined;
  }
}

/** The layout of parameters as they are stored, in which they are trained too. */
export const rawLayout: PlainLayout = { kind: "raw" };

/** Whether a layout is a copy of the parameter in another order: raw and rows are the stored order itself. */
export function isCopy({ kind }: Layout): boolean {
  return kind !== "raw" && kind !== "rows";
}

/** The name that a joint layout is held under: no parameter's, since no name contains a line break. */
export function jointName(members: readonly JointMember[]): string {
  return members.map(({ name }) => name).join("\n");
}

/** A key that equal layouts of one parameter share; raw and rows are one buffer. */
export function layoutKey(layout: Layout): string {
  switch (layout.kind) {
    case "joint":
      return `joint ${layout.members.map((member) => layoutKey(member.layout)).join()}`;
    case "raw":
    case "rows":
      return "raw";
    case "panels":
      return `panels ${layout.from} ${layout.to} ${layout.byOutput} ${layout.storage}`;
    case "matrix":
      return `matrix ${layout.from} ${layout.to} ${layout.byOutput} ${layout.storage}`;
    default:
      return `${layout.kind} ${layout.from} ${layout.to}`;
  }
}

/** The bytes of a buffer that holds a parameter of `size` elements in a layout. */
export function bytesIn(layout: Layout, size: number): number {
  switch (layout.kind) {
    case "joint":
      return layout.bytes;
    case "panels":
      return panelBytes(layout.to - layout.from, layout.inputs, bitsOf(layout.storage));
    case "panel codes":
    case "panel scales":
      return Math.ceil((layout.to - layout.from) / panelWidth) * panelWidth * bytesOfOutput(layout);
    case "matrix":
      return 4 * (layout.to - layout.from) * wordsOfOutput(layout);
    case "codes":
    case "scales":
      return (layout.to - layout.from) * bytesOfOutput(layout);
    default:
      return 4 * size;
  }
}

/** The inputs of a matrix are padded to a multiple of this. */
export const matrixDepth = 4;

/** The words that an output of a matrix takes. */
export function wordsOfOutput({ inputs, storage }: Pick<MatrixLayout, "inputs" | "storage">): number {
  return Math.ceil(inputs / matrixDepth) * matrixDepth / (storage === "float16" ? 2 : 1);
}

/** The bytes of an output's codes or scales. */
export function bytesOfOutput(
  { kind, shape, encoding }: Pick<BlockLayout | PanelBlockLayout, "kind" | "shape" | "encoding">,
): number {
  const { codes, scales } = blockShapes(shape, encoding);
  return kind === "codes" || kind === "panel codes" ? codes[1] : 4 * scales[1];
}

/**
 * The ranges of outputs, of so many bytes each, that fit into a binding; each begins at a multiple of 64 outputs, and so of
 * 256 bytes. Where not even 64 fit, it is one range of all.
 */
export function outputRanges(outputs: number, bytes: number, maxBinding: number): IndexRange[] {
  return splitRange(0, outputs, Math.floor(maxBinding / bytes / panelWidth) * panelWidth || outputs);
}

/** The inputs of a panel, padded. */
export function paddedDepth(inputs: number): number {
  return Math.ceil(inputs / panelDepth) * panelDepth;
}

/** The ranges of outputs whose panels fit into a binding; where not even one does, it is one range of all. */
export function panelRanges(outputs: number, inputs: number, maxBinding: number, bits = 32): IndexRange[] {
  const most = Math.floor(maxBinding / panelBytes(panelWidth, inputs, bits)) * panelWidth;
  return splitRange(0, outputs, most || outputs);
}

/** Split the range from `start` to `end` into ranges of `step`; the last may be shorter. */
export function splitRange(start: number, end: number, step: number): IndexRange[] {
  const ranges: IndexRange[] = [];
  for (let from = start; from < end; from += step) ranges.push({ from, to: Math.min(end, from + step) });
  return ranges;
}

/** The bits of a number. */
export function bitsOf(storage: NumberStorage | BlockEncoding): number {
  return storage === "float32" ? 32 : storage === "float16" ? 16 : storage.bits;
}

/** The bytes of a layout of a matrix in panels. */
export function panelBytes(outputs: number, inputs: number, bits = 32): number {
  return bits / 8 * Math.ceil(outputs / panelWidth) * panelWidth * paddedDepth(inputs);
}
