// A picture whose text is wanted, from its arrival to its end.
import type { GenerateOptions, GenerateOutput } from "../../generation/mod.ts";
import type { Tensor } from "../../tensor/mod.ts";

/** What is wanted. */
export interface Job {
  /** The picture, [1, channels, height, width], float32. */
  readonly pixelValues: Tensor;
  /** As `generate` has them, for one text; how sure the model is of each token is always told. */
  readonly options: Omit<GenerateOptions, "streamer" | "signal" | "outputConfidences">;
  /** Whose it is: callers are served in turn. */
  readonly caller: string;
  /** Gives it up. */
  readonly signal: AbortSignal;
  /** Is told of tokens as they are decided. */
  readonly onTokens?: (tokens: readonly number[]) => void;
}

/** The parts of a job's time, in milliseconds. */
export interface JobTimes {
  /** It waited for its turn. */
  readonly queue: number;
  /** Its picture was encoded; steps of other texts were taken between the parts of it. */
  readonly encode: number;
  /** Its text was written. */
  readonly decode: number;
}

/** A job that is done. */
export interface JobResult {
  /** Its one row. */
  readonly output: GenerateOutput;
  readonly times: JobTimes;
  /** How much better what its least clear step took was than the next: a token's score, or that of beams, where that is read. */
  readonly margin?: number;
}

/** Shares a model between jobs. */
export interface JobScheduler extends AsyncDisposable {
  /** Whether jobs can be run, and the last step did not fail. */
  readonly ready: boolean;
  /** Get ready before anybody asks. */
  prepare(): Promise<void>;
  /**
   * Write the text of a picture.
   *
   * @throws {HttpError} 429 if too many wait, 503 if the server ends.
   * @throws {LimnerError} As `generate` does.
   * @throws The reason of the job's signal.
   */
  run(job: Job): Promise<JobResult>;
}

/** A job under way. */
export class JobEntry {
  readonly #result = Promise.withResolvers<JobResult>();
  readonly #began = performance.now();
  #encoded = this.#began;
  #begun = this.#began;
  #settled = false;
  #margin: number | undefined;

  /** @param slots How many it takes; 0 if slots lack what it asks for. */
  constructor(readonly job: Job, readonly slots: number) {
    this.#result.promise.catch(() => {}); // Whoever asked for it awaits it.
  }

  /** Whose it is. */
  get caller(): string {
    return this.job.caller;
  }

  /** Its end. */
  get result(): Promise<JobResult> {
    return this.#result.promise;
  }

  /** Whether it has ended. */
  get settled(): boolean {
    return this.#settled;
  }

  /** Its turn has come: its picture is encoded. */
  begin(): void {
    this.#begun = this.#encoded = performance.now();
  }

  /** Its picture is encoded: its text is written. */
  admit(): void {
    this.#encoded = performance.now();
  }

  /** Tokens of it were decided by these margins. */
  takeMargins(margins: readonly number[]): void {
    this.#margin = Math.min(this.#margin ?? Infinity, ...margins);
  }

  /** It has ended well. */
  resolve(output: GenerateOutput): void {
    this.#settled = true;
    const margin = this.#margin;
    const times = {
      queue: this.#begun - this.#began,
      encode: this.#encoded - this.#begun,
      decode: performance.now() - this.#encoded,
    };
    this.#result.resolve({ output, times, ...(margin !== undefined && { margin }) });
  }

  /** It has failed. */
  reject(error: unknown): void {
    this.#settled = true;
    this.#result.reject(error);
  }
}
