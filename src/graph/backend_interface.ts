/**
 * What a backend is, in types: the interfaces that it implements, and the tensor programs that it compiles. Whoever writes a
 * backend imports this; `Captioner.load` and the like take an object that implements {@linkcode Backend}.
 *
 * @example
 * ```ts
 * import type { Backend } from "@limner/limner/backend";
 * import { Captioner, loadBackend } from "@limner/limner";
 * import { assertEquals } from "@std/assert";
 *
 * const backend: Backend = await loadBackend("reference");
 * await using captioner = await Captioner.load(undefined, { backend });
 * assertEquals(captioner.model.backend.name, "reference");
 * ```
 *
 * @module
 */
export type {
  Backend,
  BackendDetails,
  BackendModule,
  BackendName,
  BackendOptions,
  BackendReport,
  CacheType,
  Counters,
  DeviceName,
  DeviceTensor,
  OpenOptions,
  Program,
  ReadOptions,
  RowCopies,
  Run,
  Stream,
  StreamOptions,
  TensorPart,
  Weights,
  WeightStorage,
} from "./backend.ts";
export type { Dimension, Shape, Sizes } from "./dimension.ts";
export type { Graph } from "./graph.ts";
export type { ModelWork } from "./model_work.ts";
export type { Builder, Node, Operator, TensorType, Value } from "./value.ts";
export type {
  BlockEncoding,
  Blocks,
  CodeForm,
  FileRegion,
  StoredBlocks,
  StoredWeight,
  StoredWeights,
} from "../weights/mod.ts";
