// What a graph is compiled to: a session of ONNX Runtime.
import type { OnnxModel } from "../onnx/mod.ts";
import type { OrtTensor, OrtView } from "./value.ts";

/** A session, the parameters that are its inputs, and those it reads from their file. */
export interface Compiled {
  readonly model: OnnxModel;
  readonly session: Deno.PointerObject;
  readonly parameters: ReadonlyMap<string, OrtTensor>;
  readonly fromFile: ReadonlySet<string>;
  readonly fromMemory: ReadonlySet<string>;
  /** What the session knows of memory, and the version of the weights that it was there in. */
  readonly views: readonly OrtView[];
  readonly version: number;
}
