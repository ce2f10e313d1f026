// How a model is loaded, however it is made.
import { OptionError } from "../errors/mod.ts";
import type { HubOptions, RepositoryOptions, Timeouts } from "../hub/mod.ts";
import { type Limits, resolveLimits } from "../limits/mod.ts";
import type { Backend, BackendName, BackendOptions, WeightStorage } from "../graph/mod.ts";

/** How far the loading of a model has come. */
export interface LoadProgress {
  /** Files come from the network, and weights may be converted once; then programs are compiled, for which weights are read. */
  readonly stage: "downloading" | "converting" | "reading" | "compiling";
  /** The file being downloaded. */
  readonly file?: string;
  /** Bytes done; 0 where a stage has no measure. */
  readonly done: number;
  /** Bytes in all, where that is known. */
  readonly total?: number;
}

/** Options of loading a model. */
export interface LoadOptions extends BackendOptions, HubOptions {
  /**
   * Where it runs: a name, which runs or fails, "auto", or a backend that is loaded already or is being loaded, and stays its
   * owner's.
   * @default "auto"
   */
  readonly backend?: BackendName | "auto" | Backend | Promise<Backend>;
  /**
   * How the backend holds the weights. `q8` and `q4` hold most of them in 8 or 4 bits, which they are rounded to while they
   * are loaded: a quarter or less of the memory, and of the time of a token (ffi). With `float16` a GPU (webgpu) holds caches
   * and values under way so too, where it can. What a backend cannot hold, or what would gain nothing, is refused. @default as
   * the model was saved, which is float32 unless it was saved as q8 or q4
   */
  readonly dtype?: WeightStorage;
  /**
   * Prefer less memory to speed (ffi): weights of float32 are read where they lie in their file, whose pages the system takes
   * back when it needs room, and no faster copies are made of them; `false` makes them while loading. @default none where the
   * memory of the machine, or what a container's limit leaves, is too little; else those of large weights are made when a second
   * picture is read, or a text becomes long, which waits for them
   */
  readonly lowMemory?: boolean;
  /**
   * Write weights of a .bin of the Hub that cannot be used as they lie in its cache (compressed or strided ones, and on ffi
   * those of half precision, as float32) once as safetensors into a cache of Limner's own (LIMNER_CACHE, or
   * ~/.cache/limner). @default true
   */
  readonly convertWeights?: boolean;
  /** The most that the files may ask for, where that is not as `Limits` says. */
  readonly limits?: Partial<Limits>;
  /** Limits of time for whatever is fetched. */
  readonly timeouts?: Timeouts;
  /** Is called as loading gets on. */
  readonly onProgress?: (event: LoadProgress) => void;
  /** Stops the loading. */
  readonly signal?: AbortSignal;
}

const known: readonly string[] = [
  ...[
    "backend",
    "dtype",
    "lowMemory",
    "threads",
    "spinning",
    "libraryPath",
    "device",
    "autotune",
    "onChoice",
    "onProgress",
  ],
  ...["signal", "revision", "token", "endpoint", "cacheDir", "localFilesOnly", "timeouts", "limits", "convertWeights"],
];

/**
 * Check that every option exists and has an effect.
 *
 * @param own The options of one method beside those of loading.
 * @throws {OptionError} If one does not, or asks for what cannot be done.
 */
export function checkLoadOptions(options: LoadOptions, own: readonly string[] = []): void {
  for (const [option, value] of Object.entries(options)) {
    const refuse = (why: string): never => {
      throw new OptionError(`Cannot load with the option "${option}": ${why}`);
    };
    if (value === undefined) continue;
    if (!known.includes(option) && !own.includes(option)) {
      refuse(`it does not exist; the options are ${[...known, ...own].join(", ")}`);
    }
    if (option === "threads" && !(Number.isInteger(value) && value > 0)) {
      refuse(`it is ${value}, and a positive whole number was expected`);
    }
    if (option === "limits") resolveLimits(value);
    if (option === "spinning" && typeof value !== "boolean") refuse(`it is ${value}, and true or false was expected`);
  }
}

/** The options of fetching what a model is given later. */
const fetching = ["token", "endpoint", "cacheDir", "localFilesOnly", "timeouts", "onProgress"] as const;
const ofEach: readonly string[] = [...fetching, "revision", "signal", "maxFileBytes"];

/**
 * How an adapter is fetched: as its model was, but for what is given. The revision is the model's own.
 *
 * @throws {OptionError} If an option does not exist.
 */
export function fetchingOptions(model: LoadOptions, given: RepositoryOptions): RepositoryOptions {
  const unknown = Object.keys(given).find((option) => !ofEach.includes(option));
  if (unknown !== undefined) {
    throw new OptionError(
      `Cannot load an adapter with the option "${unknown}": it does not exist; the options are ${ofEach.join(", ")}`,
    );
  }
  return { ...Object.fromEntries(fetching.map((option) => [option, model[option]])), ...given };
}
