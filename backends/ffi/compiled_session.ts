// A graph as it was compiled: a session of ONNX Runtime.
import type { OnnxModel } from "../onnx/mod.ts";
import type { OrtTensor, OrtView } from "./ort_value.ts";

/** A session with its parameters. */
export interface CompiledSession {
  readonly model: OnnxModel;
  readonly session: Deno.PointerObject;
  /** The parameters that are its inputs. */
  readonly parameters: ReadonlyMap<string, OrtTensor>;
  /** The names of the parameters that it reads from their file. */
  readonly fromFile: ReadonlySet<string>;
  /** The names of those that it has copied from memory. */
  readonly fromMemory: ReadonlySet<string>;
  /** The views of memory that it was given as initializers. */
  readonly views: readonly OrtView[];
  /** The version of the weights that it was compiled with. */
  readonly version: number;
}
