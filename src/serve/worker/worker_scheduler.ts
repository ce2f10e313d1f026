// A scheduler whose model is in a worker: the same jobs, sent there. What waits for a device or computes is that thread.
import type { GenerationConfig } from "../../generation/mod.ts";
import type { LoadOptions, LoadProgress } from "../../model/load_options.ts";
import { BackendError, LimnerError } from "../../errors/mod.ts";
import { toFloat32 } from "../../tensor/mod.ts";
import { HttpError } from "../http_error.ts";
import type { MetricName } from "../metrics.ts";
import type { Job, JobResult, JobScheduler } from "../scheduler/job.ts";
import type { SchedulerOptions } from "../scheduler/scheduler.ts";
import type { SentError, SentLoadOptions, WorkerAnswer, WorkerRequest } from "./messages.ts";

/** What is known of the model once it is there. */
export interface OpenedModel {
  readonly generationConfig: GenerationConfig;
  /** The backend and its device. */
  readonly device: string;
}

interface RunningJob {
  readonly job: Job;
  resolve(result: JobResult): void;
  reject(error: unknown): void;
}

/** Sends jobs to a worker that has the model. */
export class WorkerScheduler implements JobScheduler {
  readonly #worker = new Worker(new URL("./model_worker.ts", import.meta.url), { type: "module" });
  readonly #opened = Promise.withResolvers<OpenedModel>();
  readonly #closed = Promise.withResolvers<void>();
  readonly #running = new Map<number, RunningJob>();
  #next = 0;
  #ready = false;
  #gauges: Readonly<Partial<Record<MetricName, number>>> = {};
  #closing: Promise<void> | undefined;
  /** Why the worker is gone. */
  #lost: Error | undefined;

  /**
   * @param source The model's folder, address or name on the Hub.
   * @param load How it is loaded, in the worker.
   */
  constructor(
    source: string | URL,
    load: SentLoadOptions & Pick<LoadOptions, "onProgress">,
    private readonly options: SchedulerOptions,
  ) {
    const { metrics, ...own } = options;
    this.#worker.onmessage = ({ data }: MessageEvent<WorkerAnswer>) => this.#take(data, load.onProgress);
    this.#worker.onerror = (event) => {
      event.preventDefault();
      this.#lose(new LimnerError(`Cannot go on: the model's worker failed: ${event.message}`));
    };
    this.#opened.promise.catch(() => {}); // Whoever opens it awaits it.
    for (const name of ["limner_queue_length", "limner_slots", "limner_slots_in_use", "limner_handles"] as const) {
      metrics.watch(name, () => this.#gauges[name] ?? 0);
    }
    const { onProgress: _, ...rest } = load;
    this.#send({ kind: "open", source: String(source), load: rest, scheduler: own });
  }

  /** Settles once the model is loaded. @throws {LimnerError} If it cannot be. */
  get opened(): Promise<OpenedModel> {
    return this.#opened.promise;
  }

  get ready(): boolean {
    return this.#ready && !this.#closing && !this.#lost;
  }

  /** The worker does so by itself. */
  prepare(): Promise<void> {
    return Promise.resolve();
  }

  async run(job: Job): Promise<JobResult> {
    if (this.#closing) throw new HttpError(503, "closing", "The server takes no more requests");
    if (this.#lost) throw this.#lost;
    job.signal.throwIfAborted();
    const id = this.#next++;
    const { promise, resolve, reject } = Promise.withResolvers<JobResult>();
    this.#running.set(id, { job, resolve, reject });
    const abort = () => {
      this.#send({ kind: "abort", id });
      reject(job.signal.reason);
    };
    job.signal.addEventListener("abort", abort);
    const { pixelValues: { dataType, shape, data: pixels }, options, caller, onTokens } = job;
    const data = new Float32Array(toFloat32(dataType, pixels));
    this.#send({ kind: "run", id, shape, data, options, caller, streams: onTokens !== undefined }, [data.buffer]);
    try {
      return await promise;
    } finally {
      job.signal.removeEventListener("abort", abort);
      this.#running.delete(id);
    }
  }

  #send(request: WorkerRequest, transfer: Transferable[] = []): void {
    this.#worker.postMessage(request, transfer);
  }

  #take(answer: WorkerAnswer, onProgress: ((progress: LoadProgress) => void) | undefined): void {
    switch (answer.kind) {
      case "loading":
        return onProgress?.(answer.progress);
      case "opened":
        return this.#opened.resolve(answer);
      case "counted":
        return this.options.metrics.add(answer.name, {}, answer.by);
      case "state":
        [this.#ready, this.#gauges] = [answer.ready, answer.gauges];
        return;
      case "closed":
        return this.#closed.resolve();
      case "tokens":
        return this.#tell(answer.id, answer.tokens);
      case "done":
        return this.#running.get(answer.id)?.resolve(answer.result);
      case "failed":
        if (answer.id === undefined) return this.#lose(new LimnerError(answer.error.fault));
        return this.#running.get(answer.id)?.reject(errorOf(answer.error));
    }
  }

  #tell(id: number, tokens: readonly number[]): void {
    const running = this.#running.get(id);
    try {
      running?.job.onTokens?.(tokens);
    } catch (error) {
      // Whoever listens fails alone.
      this.#send({ kind: "abort", id });
      running?.reject(error);
    }
  }

  /** The worker is gone, and all that it had. */
  #lose(error: Error): void {
    this.#lost = error;
    this.#opened.reject(error);
    for (const { reject } of this.#running.values()) reject(error);
    this.#worker.terminate();
    this.#closed.resolve();
  }

  /** Take no more jobs, wait for those there are, and release the model. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.#closing ??= (async () => {
      if (!this.#lost) this.#send({ kind: "close" });
      await this.#closed.promise;
      this.#worker.terminate();
    })();
  }
}

/** An error as this thread would have thrown it: a request is refused with the same, and the log has the same fault. */
function errorOf({ status, code, message, headers, fault }: SentError): Error {
  if (code === "device_failed") return new BackendError(fault, "worker");
  return code === "internal" ? new LimnerError(fault) : new HttpError(status, code, message, headers);
}
