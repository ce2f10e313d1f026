// A pool of web workers for one kind of task. Think of a counter with a queue: a free worker takes the next task, more
// workers start as tasks wait, and all end when no task has come for a while, since a worker keeps the process alive.
// Where no worker can run, this thread does the work.

/** One kind of task: the module that does it in a worker, and what this thread does before and after. */
export interface WorkerRole<Task, Answer, Result> {
  /** The worker's module. It posts `"ready"` once it listens, and then an answer a task, in order. */
  readonly script: URL;
  /** The buffers of a task that are transferred to the worker, after which this thread cannot use them. */
  transfer(task: Task): Transferable[];
  /** Turn a worker's answer into the task's result. @throws What the task failed with. */
  receive(task: Task, answer: Answer): Result;
  /** Do the task on this thread. */
  here(task: Task): Result | Promise<Result>;
  /** The error of a task whose worker failed, or that was dropped because the pool was released. */
  lost(task: Task, why: string): Error;
}

interface Waiting<Task, Result> {
  readonly task: Task;
  readonly signal?: AbortSignal;
  resolve(result: Result | Promise<Result>): void;
  reject(error: unknown): void;
}

/** The most workers: more would mostly wait for memory, and each may hold the data of its task. */
const mostWorkers = 8;

/** How long idle workers wait for another task, in milliseconds. */
const idleMilliseconds = 500;

/** Runs tasks of one kind in workers, which it starts as it is asked to. */
export class WorkerPool<Task, Answer, Result> implements Disposable {
  #most: number;
  /** Workers that are starting or working, with the task that they work on. */
  readonly #busy: Map<Worker, Waiting<Task, Result> | undefined> = new Map();
  readonly #free: Worker[] = [];
  #waiting: Waiting<Task, Result>[] = [];
  #closing: ReturnType<typeof setTimeout> | undefined;

  /**
   * @param role The tasks.
   * @param most How many workers run at a time.
   * @default most one for each core of the machine up to 8; none where there is one core, or where a worker cannot run
   */
  constructor(private readonly role: WorkerRole<Task, Answer, Result>, most: number = mostHere(role.script)) {
    this.#most = most;
  }

  /** How many tasks run at a time; 0 where this thread does them. */
  get most(): number {
    return this.#most;
  }

  /** How many workers run. */
  get running(): number {
    return this.#busy.size + this.#free.length;
  }

  /**
   * Do a task, in a worker if one runs or is started for it.
   *
   * @param options.another Whether the task is worth starting one more worker for, if all that run are busy.
   * @param options.signal A task that is still in the queue when it comes is not done.
   */
  run(task: Task, { another, signal }: { another: boolean; signal?: AbortSignal }): Promise<Result> {
    const more = another && this.running < this.#most;
    if (this.running === 0 && !more) return Promise.resolve(this.role.here(task));
    this.#stay();
    return new Promise((resolve, reject) => {
      this.#waiting.push({ task, signal, resolve, reject });
      const worker = this.#free.pop();
      if (worker) this.#next(worker);
      else if (more) this.#start();
    });
  }

  #start(): void {
    const worker = new Worker(this.role.script, { type: "module" });
    this.#busy.set(worker, undefined);
    worker.onmessage = ({ data }: MessageEvent<Answer | "ready">) => {
      const waiting = this.#busy.get(worker);
      if (waiting && data !== "ready") {
        try {
          waiting.resolve(this.role.receive(waiting.task, data as Answer));
        } catch (error) {
          waiting.reject(error);
        }
      }
      this.#next(worker);
    };
    worker.onerror = (event) => {
      event.preventDefault();
      this.#lose(worker, event.message);
    };
  }

  /** Give a worker the next task of the queue. */
  #next(worker: Worker): void {
    const waiting = this.#waiting.shift();
    if (waiting?.signal?.aborted) {
      waiting.reject(waiting.signal.reason);
      return this.#next(worker);
    }
    if (waiting) {
      this.#busy.set(worker, waiting);
      worker.postMessage(waiting.task, this.role.transfer(waiting.task));
      return;
    }
    this.#busy.delete(worker);
    this.#free.push(worker);
    this.#rest();
  }

  #rest(): void {
    if (this.#busy.size === 0) this.#closing = setTimeout(() => this.#close(), idleMilliseconds);
  }

  /** Handle a worker's failure: where a worker cannot even start, no other is started. */
  #lose(worker: Worker, message: string): void {
    const waiting = this.#busy.get(worker);
    worker.terminate();
    this.#busy.delete(worker);
    if (waiting) waiting.reject(this.role.lost(waiting.task, `its worker failed: ${message}`));
    else this.#most = 0;
    if (this.running > 0) return this.#rest();
    for (const { task, resolve } of this.#waiting.splice(0)) resolve(this.#here(task));
  }

  async #here(task: Task): Promise<Result> {
    return await this.role.here(task);
  }

  /** Call off the end of idle workers. The first clearTimeout of a process loads Node's timers, as setTimeout does. */
  #stay(): void {
    if (this.#closing !== undefined) clearTimeout(this.#closing);
    this.#closing = undefined;
  }

  #close(): void {
    this.#stay();
    for (const worker of [...this.#free.splice(0), ...this.#busy.keys()]) worker.terminate();
    this.#busy.clear();
  }

  /** End the workers; tasks that have not ended fail. */
  [Symbol.dispose](): void {
    const given = [...this.#busy.values(), ...this.#waiting.splice(0)];
    this.#close();
    for (const waiting of given) waiting?.reject(this.role.lost(waiting.task, "what would take it has been released"));
  }
}

/** How many workers may run here: none where Deno may not read the worker's module, which needs permission for a file. */
function mostHere(script: URL): number {
  const cores = navigator.hardwareConcurrency;
  if (typeof Worker === "undefined" || cores < 2) return 0;
  const refused = script.protocol === "file:" &&
    Deno.permissions.querySync({ name: "read", path: script }).state !== "granted";
  return refused ? 0 : Math.min(mostWorkers, cores);
}
