// A scheduler whose model is in a worker: the same jobs, sent there. What waits for a device or computes is that thread. Where the
// device hangs, that thread hangs with it, and nothing in it can say so: this one ends it when it has said nothing for too long,
// and starts another.
import type { GenerationConfig } from "../../generation/mod.ts";
import type { LoadOptions } from "../../model/load_options.ts";
import { abortable } from "../../async/abortable.ts";
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

/** How a worker is used. */
export interface WorkerSchedulerOptions extends SchedulerOptions {
  /** Milliseconds after which a worker that says nothing while it has work is taken to hang. */
  readonly hangTimeout: number;
}

const modelWorker = () => new Worker(new URL("./model_worker.ts", import.meta.url), { type: "module" });

/** Sends jobs to a worker that has the model. */
export class WorkerScheduler implements JobScheduler {
  /** That of the worker there is. */
  #opened = Promise.withResolvers<OpenedModel>();
  readonly #closed = Promise.withResolvers<void>();
  readonly #running = new Map<number, RunningJob>();
  readonly #request: WorkerRequest;
  #worker: Worker;
  /**
   * What the worker has not answered yet: its opening or its end, and jobs by their numbers, also those that were given up. The
   * first opening does not count: it may have to fetch a library or a model, which says nothing for as long as it takes.
   */
  readonly #unanswered = new Set<"open" | "close" | number>();
  #hanging: ReturnType<typeof setTimeout> | undefined;
  #isOpen = false;
  #next = 0;
  #ready = false;
  #gauges: Readonly<Partial<Record<MetricName, number>>> = {};
  #closing: Promise<void> | undefined;
  /** Why the worker is gone. */
  #lost: Error | undefined;

  /**
   * @param source The model's folder, address or name on the Hub.
   * @param load How it is loaded, in the worker.
   * @param create Makes the worker.
   */
  constructor(
    source: string | URL,
    private readonly load: SentLoadOptions & Pick<LoadOptions, "onProgress">,
    private readonly options: WorkerSchedulerOptions,
    private readonly create: () => Worker = modelWorker,
  ) {
    const { metrics, hangTimeout: _, ...own } = options;
    for (const name of ["limner_queue_length", "limner_slots", "limner_slots_in_use", "limner_handles"] as const) {
      metrics.watch(name, () => this.#gauges[name] ?? 0);
    }
    const { onProgress: __, ...rest } = load;
    this.#request = { kind: "open", source: String(source), load: rest, scheduler: own };
    this.#worker = this.#start();
  }

  /** Start a worker, and have it load the model. */
  #start(): Worker {
    this.#opened.promise.catch(() => {}); // Whoever opens it awaits it.
    const worker = this.create();
    worker.onmessage = ({ data }: MessageEvent<WorkerAnswer>) => {
      // One that was ended may have spoken before.
      if (worker !== this.#worker) return;
      this.#take(data);
      this.#watch();
    };
    worker.onerror = (event) => {
      event.preventDefault();
      if (worker !== this.#worker) return;
      this.#lose(new LimnerError(`Cannot go on: the model's worker failed: ${event.message}`));
    };
    worker.postMessage(this.#request);
    return worker;
  }

  /** Wait anew for a word of the worker, while it has work. */
  #watch(): void {
    clearTimeout(this.#hanging);
    if (this.#unanswered.size === 0) return;
    this.#hanging = setTimeout(() => this.#endHanging(), this.options.hangTimeout);
  }

  #endHanging(): void {
    const seconds = this.options.hangTimeout / 1000;
    const what =
      `the model's worker has said nothing for ${seconds} s while it had work, as where a GPU hangs: it was ended`;
    if (this.#closing || !this.#isOpen) return this.#lose(new BackendError(`Cannot go on: ${what}`, "worker"));
    const error = new BackendError(`Cannot go on: ${what}, and another is started`, "worker");
    this.#forget(error);
    this.#worker.terminate();
    this.#opened = Promise.withResolvers();
    this.#worker = this.#start();
    this.#unanswered.add("open");
    this.#watch();
  }

  /** Refuse all that the worker had. */
  #forget(error: Error): void {
    [this.#ready, this.#isOpen, this.#gauges] = [false, false, {}];
    this.#unanswered.clear();
    for (const { reject } of this.#running.values()) reject(error);
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
    if (!this.#isOpen) await abortable(this.#opened.promise, job.signal);
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
    this.#unanswered.add(id);
    if (this.#unanswered.size === 1) this.#watch();
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

  #take(answer: WorkerAnswer): void {
    if ("id" in answer && answer.kind !== "tokens") this.#unanswered.delete(answer.id!);
    switch (answer.kind) {
      case "loading":
        return this.load.onProgress?.(answer.progress);
      case "opened":
        this.#isOpen = true;
        this.#unanswered.delete("open");
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
    this.#forget(error);
    clearTimeout(this.#hanging);
    this.#worker.terminate();
    this.#closed.resolve();
  }

  /** Take no more jobs, wait for those there are, and release the model. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.#closing ??= (async () => {
      if (!this.#lost) {
        this.#send({ kind: "close" });
        this.#unanswered.add("close");
        this.#watch();
      }
      await this.#closed.promise;
      clearTimeout(this.#hanging);
      this.#worker.terminate();
    })();
  }
}

/** An error as this thread would have thrown it: a request is refused with the same, and the log has the same fault. */
function errorOf({ status, code, message, headers, fault }: SentError): Error {
  if (code === "device_failed") return new BackendError(fault, "worker");
  return code === "internal" ? new LimnerError(fault) : new HttpError(status, code, message, headers);
}
