// A graph as it was compiled, and the program that has it, as its weights know it.
import type { OnnxModel } from "../to_onnx.ts";
import type { RuntimeSession } from "./runtime.ts";
import type { RuntimeTensor } from "./runtime_tensor.ts";

/** A session with its parameters. */
export interface CompiledSession {
  readonly model: OnnxModel;
  readonly session: RuntimeSession;
  /** The parameters that are its inputs. */
  readonly parameters: ReadonlyMap<string, RuntimeTensor>;
  /** The names of the parameters that it reads from their file. */
  readonly fromFile: ReadonlySet<string>;
  /** The names of those that it has copied from memory. */
  readonly fromMemory: ReadonlySet<string>;
  /** The version of the weights that it was compiled with. */
  readonly version: number;
}

/** A program that reads weights. */
export interface ParameterReader {
  /** The parameters that the program's session reads from their file. */
  readonly fromFile: ReadonlySet<string>;
  /** The parameters that the session has copied from memory. */
  readonly fromMemory: ReadonlySet<string>;
  /** Whether the session has a packed copy of them: faster by 5 to 40 %, of several rows by half, but not shared. */
  readonly packed: boolean;
  /** Compile again. */
  reload(): Promise<void>;
  /** Compile again with a packed copy, if that can be made, as a part of a run: no other run may be under way. */
  pack(): Promise<void>;
  /** Release the session, whose parameters have changed; the next run compiles it again. No run may be under way. */
  dropSession(): void;
}
