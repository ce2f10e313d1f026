// How a model is loaded, however it is made.
import { OptionError } from "./errors.ts";
import type { Backend, BackendName, BackendOptions, WeightStorage } from "./graph/mod.ts";

/** How far the loading of a model has come. */
export interface LoadProgress {
  /** Files come from the network; then programs are compiled, for which weights are read. */
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
  /** How the backend holds the weights; so far all hold float32, and refuse others. @default "float32" */
  readonly dtype?: WeightStorage;
  /** Prefer less memory to speed. @default false */
  readonly lowMemory?: boolean;
  /** Refuse web addresses. @default false */
  readonly localFilesOnly?: boolean;
  /** Of Hugging Face's Hub, which is not read from yet: an error if it is given. */
  readonly revision?: string;
  /** Of the Hub: an error if it is given. */
  readonly cacheDir?: string;
  /** Of the Hub: an error if it is given. */
  readonly token?: string;
  /** Of the Hub: an error if it is given. */
  readonly endpoint?: string;
  /** Is told how loading gets on. */
  readonly onProgress?: (event: LoadProgress) => void;
  /** Stops the loading. */
  readonly signal?: AbortSignal;
}

const ofTheHub = ["revision", "cacheDir", "token", "endpoint"] as const;
const known: readonly string[] = [
  ...["backend", "dtype", "lowMemory", "threads", "libraryPath", "localFilesOnly", "onProgress", "signal"],
  ...ofTheHub,
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
    if ((ofTheHub as readonly string[]).includes(option)) {
      refuse("it is of Hugging Face's Hub, and models are read from folders and web addresses only");
    }
    if (option === "threads" && !(Number.isInteger(value) && value > 0)) {
      refuse(`it is ${value}, and a positive whole number was expected`);
    }
  }
}
