// The interfaces that every backend implements. Models, generation and training know backends only through these.
import type { DataType, Tensor, TypedArray } from "../tensor/mod.ts";
import type { StoredWeights } from "../weights/mod.ts";
import type { Sizes } from "./dimension.ts";
import type { Graph } from "./graph.ts";
import type { ModelWork } from "./model_work.ts";
import type { Node } from "./value.ts";

/** A backend's name. `reference` is the oracle: plain TypeScript, never chosen by "auto". */
export type BackendName = "webgpu" | "ffi" | "wasm" | "reference";

/** How a backend holds weights. ProgramCache compute in float32 whatever the storage. */
export type WeightStorage = "float32" | "float16" | "q8" | "q4";

/** What a backend did so far; tests assert on them. */
export interface Counters {
  /** Executions of programs. */
  readonly runs: number;
  /** Kernels started on the device (webgpu), or nodes executed (reference). */
  readonly dispatches: number;
  /** Times the host waited for the device. */
  readonly waits: number;
  /** Bytes copied from the device to the host. */
  readonly bytesRead: number;
  /** Device objects that are not yet released. */
  readonly liveHandles: number;
  /** Bytes of device memory held by weights. */
  readonly weightBytes: number;
  /**
   * Bytes of all buffers that the backend has made and not given back: for weights, for tensors, for what runs need, and
   * spare ones. What a library holds for itself, as ONNX Runtime does packed copies of weights, is not seen.
   */
  readonly deviceBytes: number;
}

/** How keys and values wait on a device for the queries of later tokens. */
export type CacheType = "float32" | "float16";

/** Counters at zero, for a new backend to increment. */
export function newCounters(): { -readonly [K in keyof Counters]: number } {
  return { runs: 0, dispatches: 0, waits: 0, bytesRead: 0, liveHandles: 0, weightBytes: 0, deviceBytes: 0 };
}

/** Options of {@linkcode Backend.open}. */
export interface OpenOptions {
  /** How the weights are held. @default "float32" */
  readonly storage?: WeightStorage;
  /** Which parameters programs may write, as {@linkcode Weights.train} declares it later. @default none */
  readonly trainable?: (name: string) => boolean;
  /**
   * Prefer less memory to speed; `false` prefers speed from the first run on to a short load. @default where memory is short, if
   * the backend knows
   */
  readonly lowMemory?: boolean;
}

/** A model's parameters on a device, each held once for all programs that read it. */
export interface Weights extends Disposable {
  /**
   * The type in which programs that read the weights best pass keys and values to each other: float16 where the weights are
   * held so and the device has 16 bits for it. @default "float32"
   */
  readonly cacheType?: CacheType;
  /** Whether the device that they were on was lost (webgpu), and they with it. @default false */
  readonly isLost?: boolean;
  /**
   * Let programs that are compiled from now on write parameters. Programs that were compiled earlier read the new
   * values: their packed copies of a parameter are dropped when it changes, and packed again before their next run.
   *
   * @throws {ShapeError} If there is no parameter of a name.
   */
  train(names: Iterable<string>): Promise<void>;
  /** The parameter's current value, from the device when it was trained. */
  read(name: string): Promise<Tensor>;
  /** Replace a parameter's value; programs see it from their next run on. */
  write(name: string, tensor: Tensor): Promise<void>;
  /**
   * Forget parameters that were taken from the source and that no program reads any more: their memory is given back, and
   * a name may come back with another value and shape.
   */
  forget(names: Iterable<string>): Promise<void>;
}

/** A buffer on a device. */
export interface DeviceTensor extends Disposable {
  /** The type of its elements. */
  readonly dataType: DataType;
  /** The shape it was allocated for. */
  readonly capacity: readonly number[];
}

/** A part of a tensor: its elements from `offset` on. */
export interface TensorPart<T extends DeviceTensor = DeviceTensor> {
  /** The tensor that it is a part of. */
  readonly tensor: T;
  /** The index of the part's first element. */
  readonly offset: number;
}

/** Options of {@linkcode Stream.read}. */
export interface ReadOptions {
  /** The shape to read: its elements, packed, are the buffer's first ones. @default the capacity */
  readonly shape?: readonly number[];
  /** An array of the elements' type, long enough, that the tensor's elements are put into. @default a new array */
  readonly into?: TypedArray;
}

/** Which rows of a tensor are copied, and how much of each. */
export interface RowCopies {
  /** The row that is copied and the row that is overwritten, along axis 0; all rows are read before any is written. */
  readonly rows: readonly (readonly [from: number, to: number])[];
  /** The axis of the positions. */
  readonly axis: number;
  /** How many positions of each row are copied, from the first on. */
  readonly length: number;
}

/**
 * The work of one caller on a device, executed in the order it was queued. Only `read` waits. A failure drops what the
 * stream has queued after it, is thrown by the stream's next read, and touches no other stream. Streams share the device fairly, a run being the
 * unit; what a stream has queued is still executed after the stream is disposed.
 */
export interface Stream extends Disposable {
  /** Queue a copy of `data` to elements `offset` and on of `target`. */
  write(target: DeviceTensor, data: TypedArray, offset?: number): void;
  /** Queue copies of rows from one tensor to another whose other axes are equal, or to itself. */
  copyRows(source: DeviceTensor, target: DeviceTensor, copies: RowCopies): void;
  /**
   * Queue one execution; never waits, never allocates.
   *
   * @param sizes Sizes that differ from the run's maxima in this execution; they may not stand in the shape of an input,
   * a state or an output.
   * @throws {ShapeError} If a size is over its maximum or stands in such a shape.
   */
  enqueue(run: Run, sizes?: Sizes): void;
  /**
   * Copy a tensor to the host, as it is after the work that was queued before. Several reads may be under way.
   *
   * @throws {LimnerError} If that work failed.
   * @throws The reason of the stream's signal, if that was aborted.
   */
  read(source: DeviceTensor, options?: ReadOptions): Promise<Tensor>;
}

/** Options of {@linkcode Backend.stream}. */
export interface StreamOptions {
  /** Ends the stream: what is queued and not begun is dropped, what is under way is stopped where that can be done. */
  readonly signal?: AbortSignal;
}

/** One device. */
export interface Backend extends AsyncDisposable {
  /** Which backend it is. */
  readonly name: BackendName;
  /** The device's name, for a person to read: `llvmpipe (LLVM 15)`, `CPU, 2 threads`. */
  readonly device: string;
  /** How many decoding steps to queue before a read: 1 where a read is free, more where it waits for a GPU. */
  readonly stepsPerRead: number;
  /**
   * How many reads a decoding loop has under way: with 2, the steps after those that are read are queued before the read is
   * waited for, so that the device has work meanwhile, and those past the end are thrown away. @default 1
   */
  readonly readsInFlight?: number;
  /** Whether float32 weights are used directly from their mapped file, and only others are read. @default false */
  readonly mapsFiles?: boolean;
  /** What it did so far. */
  readonly counters: Counters;
  /**
   * Whether `compile` takes a node as it is, with weights held as these are; it looks at shapes and attributes too.
   * Others are decomposed.
   */
  supports(node: Node, weights: Weights): boolean;
  /** Make a model's parameters available to programs; they are read when a program first needs them. */
  open(source: StoredWeights, options?: OpenOptions): Promise<Weights>;
  /**
   * Compile a program. Any graph is taken: what the backend does not support is decomposed.
   *
   * @throws {LimnerError} If a primitive is not supported, or a parameter is written that is not trained.
   * @throws {ShapeError} If a parameter's stored shape is not the graph's, or it is missing.
   */
  compile(graph: Graph, weights: Weights, options?: { signal?: AbortSignal }): Promise<Program>;
  /** Open another device where the last one was lost (webgpu); weights, programs and tensors have to be made anew. */
  recover?(): Promise<void>;
  /** Allocate a zeroed buffer. */
  allocate(dataType: DataType, capacity: readonly number[]): DeviceTensor;
  /** A stream of work for one caller. */
  stream(options?: StreamOptions): Stream;
}

/** A compiled graph. */
export interface Program extends Disposable {
  /**
   * Fix the buffers of one use of the program.
   *
   * A state's buffer has exactly the state's shape; an input's or output's, and every part of one, holds at least its
   * elements, packed. What is written may share no element with what else is bound.
   *
   * @param tensors A buffer, or a part of one, for every input, state and output, by name.
   * @param maxima The largest value of every named size; the value at a run unless `Stream.enqueue` gives another.
   * @throws {ShapeError} If a buffer or a size is missing, or does not fit, or what is written overlaps.
   */
  bind(tensors: Readonly<Record<string, DeviceTensor | TensorPart>>, maxima?: Sizes): Run;
}

/** A program with its buffers, which a stream executes. */
export interface Run extends Disposable {
  /** The largest value of every named size. */
  readonly maxima: Sizes;
}

/** Options of {@linkcode BackendModule.load}; a backend ignores those of others. */
export interface BackendOptions {
  /** CPU threads (ffi), of all backends in the process: the first one makes their pool. @default the physical cores */
  readonly threads?: number;
  /**
   * Whether the threads (ffi) compute while they wait for work, which saves 5 to 10 % of a short text and takes their
   * cores from whatever else runs; of all backends in the process, as `threads`. @default true
   */
  readonly spinning?: boolean;
  /**
   * Whether the shapes of kernels are tried (webgpu) when a GPU is first used, for half a second, and remembered in the user's
   * cache where that may be used; on a software adapter a few at each load, until all were tried; and whether "auto" measures
   * how fast a GPU and the processor are. @default true
   */
  readonly autotune?: boolean;
  /**
   * The work of the model that "auto" is to choose for; it is only called where there may be a GPU to choose. Loading a model
   * says it. @default unknown
   */
  readonly work?: () => Promise<ModelWork>;
  /** Is told why "auto" took a backend, for a person to read, with the times that it estimated. */
  readonly onChoice?: (reason: string) => void;
  /**
   * A folder (webgpu) that the kernels' WGSL and the list of dispatches with the device's times are written to when the
   * backend is released; each dispatch is then timed by itself, which makes all of them slower. @default none
   */
  readonly debugFolder?: string;
  /** The path of libonnxruntime (ffi). @default found: `LIMNER_ORT_LIBRARY`, then the npm package */
  readonly libraryPath?: string;
  /**
   * What the library computes on (ffi): the CPU, or a GPU by an execution provider of ONNX Runtime that it has, CUDA (the first
   * device, or `cuda:1`) or WebGPU. It runs there or fails with what is missing. @default "cpu"
   */
  readonly device?: DeviceName;
}

/** What the ffi backend can be asked to run on. */
export type DeviceName = "cpu" | "cuda" | `cuda:${number}` | "webgpu";

/** Whether a backend can run here, for a person to read. */
export interface BackendReport {
  /** Which backend it is. */
  readonly name: BackendName;
  /** Whether it can run here. */
  readonly available: boolean;
  /** The device it would run on; empty where it is not available. */
  readonly device: string;
  /** Why it is not available; empty where it is. */
  readonly reason: string;
  /** What can be asked for as `device` (ffi), where that is known without downloading anything. @default none */
  readonly devices?: readonly string[];
  /** Whether the device is a GPU computed by the CPU, which "auto" takes last. @default false */
  readonly software?: boolean;
  /** How fast the device is, for a person to read, as far as "auto" has measured it. @default unknown */
  readonly speed?: string;
}

/** What the `mod.ts` of each backend exports. */
export interface BackendModule {
  /**
   * Load the backend.
   *
   * @throws {BackendError} If it cannot run here, with the reason and what to do.
   */
  load(options?: BackendOptions): Promise<Backend>;
  /** Whether it could be loaded; nothing is downloaded to find out. */
  report(options?: BackendOptions): Promise<BackendReport>;
  /**
   * Details of what the backend runs on, for a person to read; a library that is needed is downloaded for it.
   *
   * @throws {BackendError} If the backend cannot run here.
   */
  inspect(options?: BackendOptions): Promise<BackendDetails>;
}

/** What a backend runs on: versions, features and limits by name. */
export type BackendDetails = Readonly<Record<string, string | number | readonly string[]>>;
