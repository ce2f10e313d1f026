// Parameters in blocks of 8 or 4 bits as a model in ONNX has them: where they lie, and in which forms it reads them.
import type { DataType } from "../../src/tensor/mod.ts";
import type { BlockEncoding, FileRegion } from "../../src/weights/mod.ts";

/** A parameter in blocks, and where its codes and scales lie. */
export interface BlockLocation {
  readonly encoding: BlockEncoding;
  readonly codes: FileRegion;
  readonly scales: FileRegion;
}

/** An initializer that holds the codes or the scales of a parameter, in the form that an operator wants. */
export interface BlockInitializer {
  readonly name: string;
  readonly parameter: string;
  readonly part: "codes" | "scales";
  readonly dataType: DataType;
  readonly shape: readonly number[];
  /** The byte of the codes, or of the scales, that it begins at. */
  readonly offset: number;
}

/** A parameter in blocks in a graph that is being lowered. */
export interface BlockParameter extends BlockLocation {
  readonly name: string;
  readonly shape: readonly number[];
}
