// Who decides a step of a search. Think of a search as a state that the host keeps, and of a decider as whoever
// says how it goes on: the device, which takes several steps before the host reads them, or the host, which reads
// scores at each step because a processor, a draw or a criterion needs them, or because a read costs nothing. Both decide
// alike, so that a search need not know which it has.
import { Tensor, type TypedArray } from "../../tensor/mod.ts";
import type { Session } from "../programs/session.ts";
import { maxStepsPerRead } from "../programs/max_steps_per_read.ts";
import type { Generation } from "../request/generation.ts";
import { ProcessorInputs } from "../scores/processor_inputs.ts";

/** Decides what follows, of each row or of each picture's beams. */
export interface Decider<Entry, Decision> {
  /**
   * Go on by a step or several.
   *
   * @param entries Those of the session, in its order.
   * @param length The tokens of each row so far.
   * @param ahead Whether entries stay where they are, so that steps after these may be queued too. @default false
   * @returns For each step the decision of each entry; of no use where the entry has ended.
   */
  next(entries: readonly Entry[], length: number, ahead?: boolean): Promise<readonly (readonly Decision[])[]>;
  /** Whether steps after those that were returned are under way: entries stay where they are. @default false */
  readonly isAhead?: boolean;
  /** Each step's scores after all processors, [rows, V], if they are asked for. */
  readonly scores: readonly Tensor[];
}

/** Queue the decoder for the token after the first `length`, whose last one, or whole prompt, is not in the caches. */
export function queueStep(session: Session, { promptLength }: Generation, length: number, at = 0): void {
  const past = length === promptLength ? 0 : length - 1;
  session.decode(past, length - past, at);
}

/** Steps that the device takes by itself. */
export class DeviceSteps {
  readonly #inputs: ProcessorInputs;

  /** @param most The steps between two reads. */
  constructor(readonly session: Session, readonly generation: Generation, readonly most: number) {
    this.#inputs = new ProcessorInputs(session, generation);
  }

  /** How many steps are taken from `length` on. */
  count(length: number): number {
    return Math.min(this.most, maxStepsPerRead, this.generation.maxLength - length);
  }

  /** Queue `count` steps. */
  queue(length: number, count: number): void {
    for (let at = 0; at < count; at++) {
      this.#inputs.write(length + at);
      queueStep(this.session, this.generation, length + at, at);
    }
  }
}

/** Steps that were queued, and what the read of them gives. */
export interface QueuedSteps<T> {
  readonly count: number;
  readonly decided: Promise<T>;
}

/** Queues steps, and their reads, before those of the steps before are waited for, so that the device has work meanwhile. */
export class StepQueue<T> {
  /** What was queued and not returned, the first first. */
  readonly #queued: QueuedSteps<T>[] = [];

  /** @param queue Queues steps from a length on, and their read. */
  constructor(
    readonly session: Session,
    readonly generation: Generation,
    readonly queue: (length: number) => QueuedSteps<T>,
  ) {}

  /** Whether steps are under way that were not returned. */
  get isAhead(): boolean {
    return this.#queued.length > 0;
  }

  /** Wait for the next steps from `length` on. @param ahead Whether those after them may be queued too. */
  async next(length: number, ahead: boolean): Promise<{ readonly count: number; readonly decided: T }> {
    const { session: { backend: { readsInFlight = 1 } }, generation: { maxLength } } = this;
    const most = ahead ? readsInFlight : 1;
    let end = this.#queued.reduce((sum, { count }) => sum + count, length);
    while (this.#queued.length < most && end < maxLength) {
      const steps = this.queue(end);
      // Steps that are thrown away are not waited for; a failure surfaces at the stream's next read.
      steps.decided.catch(() => {});
      this.#queued.push(steps);
      end += steps.count;
    }
    const { count, decided } = this.#queued.shift()!;
    return { count, decided: await decided };
  }
}

/** Reads each step's scores, one row of the vocabulary a row of the session. */
export class ScoreReader {
  #memory: TypedArray | undefined;

  /** @param name An output of the session's programs, [rows, …, V]. */
  constructor(readonly session: Session, readonly name: string, readonly generation: Generation) {}

  /** Take a step, and wait for its scores; the next step's take their place, unless someone may have kept them. */
  async next(length: number): Promise<Float32Array[]> {
    const { session, name, generation } = this;
    queueStep(session, generation, length);
    const { data } = await session.read(name, { into: this.#memory });
    // Rows become fewer, never more.
    if (generation.logitsProcessors.length === 0 && !generation.outputScores) this.#memory ??= data;
    const width = data.length / session.rows;
    return Array.from(
      { length: session.rows },
      (_, row) => data.subarray(row * width, (row + 1) * width) as Float32Array,
    );
  }
}

/** Rows of scores as one tensor, [rows, V]. */
export function stackScores(rows: readonly Float32Array[]): Tensor {
  const [{ length }] = rows;
  const data = new Float32Array(rows.length * length);
  rows.forEach((row, i) => data.set(row, i * length));
  return new Tensor("float32", [rows.length, length], data);
}
