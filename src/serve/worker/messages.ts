// What the thread that answers requests and the worker that has the model say to each other.
import type { GenerateOutput, GenerationConfig } from "../../generation/mod.ts";
import type { LoadOptions, LoadProgress } from "../../model/load_options.ts";
import type { MetricName } from "../metrics.ts";
import type { Job, JobResult } from "../scheduler/job.ts";
import type { SchedulerOptions } from "../scheduler/scheduler.ts";

/** Options of loading that can be told to another thread. */
export type SentLoadOptions = Omit<LoadOptions, "backend" | "onProgress" | "signal"> & {
  /** A backend's name: one that is loaded stays in its thread. */
  readonly backend?: Extract<LoadOptions["backend"], string>;
};

/** To the worker. First `open`, last `close`. */
export type WorkerRequest =
  | {
    readonly kind: "open";
    readonly source: string;
    readonly load: SentLoadOptions;
    readonly scheduler: Omit<SchedulerOptions, "metrics">;
  }
  | {
    readonly kind: "run";
    readonly id: number;
    /** The picture, [1, channels, height, width], float32. */
    readonly shape: readonly number[];
    readonly data: Float32Array<ArrayBuffer>;
    readonly options: Job["options"];
    readonly caller: string;
    /** Whether tokens are told as they are decided. */
    readonly streams: boolean;
  }
  | { readonly kind: "abort"; readonly id: number }
  | { readonly kind: "close" };

/** An error that crosses threads: what a request is refused with, and what was thrown. */
export interface SentError {
  readonly status: number;
  readonly code: string;
  readonly message: string;
  readonly headers: Readonly<Record<string, string>>;
  /** What was thrown, for the server's log. */
  readonly fault: string;
}

/** A result that crosses threads. */
export type SentResult = Omit<JobResult, "output"> & {
  readonly output: Pick<
    GenerateOutput,
    "sequences" | "promptLengths" | "lengths" | "truncated" | "confidences" | "sequencesScores"
  >;
};

/** From the worker. */
export type WorkerAnswer =
  | { readonly kind: "loading"; readonly progress: LoadProgress }
  | { readonly kind: "opened"; readonly generationConfig: GenerationConfig; readonly device: string }
  | { readonly kind: "tokens"; readonly id: number; readonly tokens: readonly number[] }
  | { readonly kind: "done"; readonly id: number; readonly result: SentResult }
  /** Without an id it is the loading that failed. */
  | { readonly kind: "failed"; readonly id?: number; readonly error: SentError }
  | { readonly kind: "counted"; readonly name: MetricName; readonly by: number }
  | { readonly kind: "state"; readonly ready: boolean; readonly gauges: Readonly<Partial<Record<MetricName, number>>> }
  | { readonly kind: "closed" };
