// `caption.ts worker`: pictures as lines of JSON on standard input, an answer for each on standard output, in their order. A
// cluster starts one for each of its own workers, and gives it a partition.
import { OptionError } from "../../errors/mod.ts";
import { requestOf } from "../caption_request.ts";
import type { Console } from "../console.ts";
import { loadCaptioner } from "../load_captioner.ts";
import { type GivenReading, readingOptions, readingProblems } from "../options.ts";
import { Progress } from "../progress.ts";
import { answerFields } from "./answer_fields.ts";
import { type CaptionJob, captionJobs } from "./caption_jobs.ts";
import { readLines } from "./read_lines.ts";
import { jobOf, mostLineBytes, RecentIds, type WorkerLine } from "./worker_line.ts";

/** What a worker was asked to do. */
export interface GivenWork extends GivenReading {
  /** Seconds between two heartbeats; undefined for none. */
  readonly heartbeat: string | undefined;
}

/**
 * Answer lines until there are no more, or until SIGTERM: then those that were read are answered still.
 *
 * @returns The exit code 0: what is wrong with a line is in its answer.
 * @throws {LimnerError} If there is no model, or its device is lost.
 */
export async function work(given: GivenWork, console: Console): Promise<number> {
  const options = readingOptions(given);
  const problems = readingProblems(options);
  if (problems.length > 0) throw new OptionError(problems.join("; "));
  const state = new WorkerState(console);
  using _beating = state.beatEvery(Number(given.heartbeat ?? 0));
  const progress = new Progress(false);
  await using captioner = await loadCaptioner(options, { console, progress, spinning: false });
  const request = requestOf(captioner, options);
  state.isLoaded();
  using input = new StandardInput();
  const answers = captionJobs(captioner, jobsOf(input.chunks(), state), {
    request,
    allowPrivateAddresses: options.allowPrivate,
  });
  for await (const answer of answers) {
    const { id, number } = answer.about;
    // A line without an id is named by its number.
    const line = id === null ? { id, line: number } : { id };
    if (!state.answer({ ...line, ...await answerFields(answer, options, captioner) })) break;
  }
  return 0;
}

async function* jobsOf(
  chunks: AsyncIterable<Uint8Array>,
  state: WorkerState,
): AsyncGenerator<CaptionJob<WorkerLine>> {
  const ids = new RecentIds();
  for await (const line of readLines(chunks, mostLineBytes)) {
    const job = await jobOf(line, ids);
    if (!job) continue;
    state.hasRead();
    yield job;
  }
}

/** Standard input, until SIGTERM ends it early. */
class StandardInput implements Disposable {
  readonly #reader = Deno.stdin.readable.getReader();
  readonly #stop = () => void this.#reader.cancel();

  constructor() {
    if (Deno.build.os !== "windows") Deno.addSignalListener("SIGTERM", this.#stop);
  }

  async *chunks(): AsyncGenerator<Uint8Array> {
    for (let next = await this.#reader.read(); !next.done; next = await this.#reader.read()) yield next.value;
  }

  [Symbol.dispose](): void {
    if (Deno.build.os !== "windows") Deno.removeSignalListener("SIGTERM", this.#stop);
  }
}

/** How far a worker is, and what it says of it. */
class WorkerState {
  readonly #console: Console;
  readonly #began = performance.now();
  #state: "loading" | "reading" = "loading";
  #read = 0;
  #answered = 0;

  constructor(console: Console) {
    this.#console = console;
  }

  isLoaded(): void {
    this.#state = "reading";
  }

  hasRead(): void {
    this.#read++;
  }

  /** Print an answer. @returns Whether somebody reads it. */
  answer(fields: Record<string, unknown>): boolean {
    this.#answered++;
    return this.#print(fields);
  }

  /** Print a heartbeat at once and every so many seconds; never for 0. */
  beatEvery(seconds: number): Disposable {
    const beat = () =>
      this.#print({
        heartbeat: {
          state: this.#state,
          answered: this.#answered,
          waiting: this.#read - this.#answered,
          seconds: Math.round((performance.now() - this.#began) / 100) / 10,
        },
      });
    if (seconds === 0) return { [Symbol.dispose]: () => {} };
    beat();
    const timer = setInterval(beat, 1000 * seconds);
    return { [Symbol.dispose]: () => clearInterval(timer) };
  }

  #print(fields: Record<string, unknown>): boolean {
    return this.#console.print(JSON.stringify(fields) + "\n");
  }
}
