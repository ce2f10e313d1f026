// Parameters as the device holds them: in a layout, in a buffer or in texels.
import type { Texels } from "../device/texels.ts";
import type { JointMember, Layout } from "./layout.ts";
import type { DispatchList } from "../program/dispatch_list.ts";

/** A range of a buffer, in bytes: a layout of rows is a part of its buffer. */
export interface BufferRange {
  readonly buffer: GPUBuffer;
  readonly offset: number;
  readonly size: number;
}

/** Parameters in a layout. */
export interface HeldLayout {
  readonly layout: Layout;
  readonly bytes: number;
  /** The parameters that the buffer holds: several where the layout is joint. */
  readonly members: readonly JointMember[];
  /** Undefined while a stale copy holds no memory. */
  buffer: GPUBuffer | Texels | undefined;
  /** How the members that are trained are packed again, and the members whose copy is stale. */
  readonly repackings: Map<string, DispatchList>;
  readonly stale: Set<string>;
}

/** Whether a layout does not hold all of a number. */
export function isRounded({ layout }: JointMember): boolean {
  return "encoding" in layout || "storage" in layout && layout.storage !== "float32";
}
