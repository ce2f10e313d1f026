// A program in two forms, of which each use takes the one that is faster for its rows.
import type { DeviceTensor, Program, Run, Sizes, TensorPart } from "../../../src/graph/mod.ts";

/** A program for few rows and for many. */
export class ProgramByRows implements Program {
  /**
   * @param few For few rows.
   * @param many The same graph with the same weights, for many.
   * @param hasMany Whether products have many rows with these sizes.
   */
  constructor(readonly few: Program, readonly many: Program, readonly hasMany: (sizes: Sizes) => boolean) {}

  bind(tensors: Readonly<Record<string, DeviceTensor | TensorPart>>, maxima: Sizes = {}): Run {
    return (this.hasMany(maxima) ? this.many : this.few).bind(tensors, maxima);
  }

  [Symbol.dispose](): void {
    this.few[Symbol.dispose]();
    this.many[Symbol.dispose]();
  }
}
