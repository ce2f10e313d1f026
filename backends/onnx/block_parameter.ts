// Parameters in blocks of 8 or 4 bits as a model in ONNX has them: where they lie, and in which forms it reads them.
import type { DataType } from "../../src/tensor/mod.ts";
import type { BlockEncoding, CodeForm, FileRegion } from "../../src/weights/mod.ts";

/** A parameter in blocks, and where its codes and scales lie. */
export interface BlockLocation {
  readonly encoding: BlockEncoding;
  /** How its codes lie: in columns only where all blocks of a row have one scale, so that a product of whole numbers can have it. */
  readonly form: CodeForm;
  readonly codes: FileRegion;
  readonly scales: FileRegion;
}

/** What an initializer holds of a parameter: its codes, its scales, or the one scale of each row. */
export type BlockPart = "codes" | "scales" | "rowScales";

/** An initializer that holds a part of a parameter, in the form that an operator wants. */
export interface BlockInitializer {
  readonly name: string;
  readonly parameter: string;
  readonly part: BlockPart;
  readonly dataType: DataType;
  readonly shape: readonly number[];
  /** The byte of that part that it begins at. */
  readonly offset: number;
}

/** A parameter in blocks in a graph that is being lowered. */
export interface BlockParameter extends BlockLocation {
  readonly name: string;
  readonly shape: readonly number[];
}

/** How products are made with codes as they lie. */
export interface UnpackedProducts {
  /** The type of the inputs' codes. */
  readonly unpacked: "int8" | "uint8";
  /**
   * For how many rows: few multiply whole numbers, which takes time for each row; of many the inputs are rounded the same, and the
   * weights are decoded in each run.
   */
  readonly rows: "few" | "many";
}

/** Which products with weights in blocks round their inputs to 8 bits, so that whole numbers are multiplied. */
export interface IntegerProducts {
  /**
   * Those with blocks that have scales of their own, as each block of an input then has too: with codes that are packed, or with
   * codes as they lie, which takes a few times as long and no memory. Else weights are decoded in each run.
   */
  readonly blocks: "packed" | UnpackedProducts | "decoded";
  /**
   * Those with weights of 8 bits whose rows have one scale, with one scale for all of an input: the form of codes that they read.
   * @default such products are not of whole numbers
   */
  readonly rowScales?: Exclude<CodeForm, "rows">;
}
