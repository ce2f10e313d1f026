// How a model is loaded, however it is made.
import type { Backend, BackendName, BackendOptions, WeightStorage } from "./graph/mod.ts";

/** How far the loading of a model has come. */
export interface LoadProgress {
  readonly stage: "downloading" | "reading" | "compiling";
  /** The file being downloaded. */
  readonly file?: string;
  /** Bytes done; 0 where a stage has no measure. */
  readonly done: number;
  /** Bytes in all, where that is known. */
  readonly total?: number;
}

/** Options of loading a model. */
export interface LoadOptions extends BackendOptions {
  /** Where it runs: a name, which runs or fails, "auto", or a backend that is loaded already. @default "auto" */
  readonly backend?: BackendName | "auto" | Backend;
  /** How the backend holds the weights. @default "float32" */
  readonly dtype?: WeightStorage;
  /** Prefer less memory to speed. @default false */
  readonly lowMemory?: boolean;
  /** Is told how loading gets on. */
  readonly onProgress?: (event: LoadProgress) => void;
  /** Stops the loading. */
  readonly signal?: AbortSignal;
}
