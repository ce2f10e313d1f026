// What a runtime of ONNX models must offer so that programs, streams and tensors can be built on it. Values are reached only
// through `write`, `read` and `copy`, so that they may be in the host's memory, in a WebAssembly heap or on a device.
import type { Lane, LaneOptions, WorkQueue } from "../../../src/async/work_queue.ts";
import type { BackendName, newCounters, RowCopies } from "../../../src/graph/mod.ts";
import type { DataType, TypedArray } from "../../../src/tensor/mod.ts";

/** Something that can be bound to a name of a session: a value, or a part of one. */
export interface Bindable {
  /** Release it; twice does no harm. A view's memory stays. */
  release(): void;
}

/** A tensor in a runtime's memory, which it owns. */
export interface RuntimeValue extends Bindable {
  readonly dataType: DataType;
  readonly shape: readonly number[];
  readonly byteLength: number;
  /** Overwrite elements `offset` and on. */
  write(data: TypedArray, offset: number): void;
  /** Copy the first `size` elements to the host: to `into`, or to a new array. */
  read(size: number, into?: TypedArray): TypedArray;
  /** Overwrite elements `offset` and on with all elements of another value. */
  copy(source: RuntimeValue, offset: number): void;
  /** Overwrite rows with rows of another value of the same rank, or of this one. */
  copyRows(source: RuntimeValue, copies: RowCopies): void;
  /** A part of the value, from element `offset` on, to be bound instead of the whole. */
  view(shape: readonly number[], offset: number): Bindable;
}

/** A compiled model. */
export interface RuntimeSession {
  /** Values for its inputs and outputs, to begin with none. */
  bind(): SessionBinding;
  /** Release it and its bindings; no run may be under way. */
  release(): void;
}

/** The values of one use of a session, by the names of its inputs and outputs. */
export interface SessionBinding {
  input(name: string, value: Bindable): void;
  output(name: string, value: Bindable): void;
  /**
   * Run the session.
   *
   * @param control That of the stream whose run it is.
   * @throws {OrtError} If the run fails, or is stopped.
   */
  run(control: RunControl): Promise<void>;
  release(): void;
}

/** What stops the runs of one stream. */
export interface RunControl {
  /** Stop the run that is under way, as soon as the runtime can, and refuse those to come. */
  stop(): void;
  release(): void;
}

/** A runtime of ONNX models: one of a backend. */
export interface OnnxRuntime {
  /** The backend that it is the runtime of. */
  readonly name: BackendName;
  readonly counters: ReturnType<typeof newCounters>;
  /** The work of all streams. */
  readonly work: WorkQueue;
  /** Whether binding a value may copy it, because it is not where the session wants it: then it is bound anew for each run. */
  readonly copiesWhenBound?: boolean;
  /** A value with undefined elements: where sessions compute, or where small ones are written at once. @default place "device" */
  allocate(dataType: DataType, shape: readonly number[], place?: "device" | "host"): RuntimeValue;
  /** A value of zeros, where sessions compute. */
  allocateZeros(dataType: DataType, shape: readonly number[]): RuntimeValue;
  runControl(): RunControl;
  /** A stream's work, in its order. */
  lane(options: LaneOptions): Lane;
  /** Release an object that was counted in `liveHandles`, once the work that is queued now has ended. */
  release(free: () => void): void;
  /** @throws {BackendError} If the backend was closed. */
  checkOpen(): void;
}
