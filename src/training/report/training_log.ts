// The log of a training as JSON lines: a line a step, and a line an evaluation. A run that is taken up again drops the
// lines of steps that it takes again, so that every step stands there once.
import { FormatError } from "../../errors/mod.ts";
import { notWritten, writing } from "../../errors/writing.ts";
import { isRecord, splitPath, toPath } from "../../hub/mod.ts";
import { writeFileAtomically } from "../../hub/atomic_file.ts";
import { makeFolder } from "../../hub/make_folder.ts";
import type { Evaluation } from "./evaluation.ts";

/** What a step did. */
export interface StepEntry {
  /** The number of updates, this one included. */
  readonly step: number;
  /** How many times the data was gone through, as a fraction. */
  readonly epoch: number;
  /** The mean loss of the step's labels. */
  readonly loss: number;
  /** The learning rate of the step. */
  readonly learningRate: number;
  /** The norm of all gradients, before clipping. */
  readonly gradNorm: number;
  /** Seconds of the step alone, its data included. */
  readonly seconds: number;
}

/** What an evaluation found. */
export interface EvaluationEntry {
  /** How many updates there were before it. */
  readonly step: number;
  /** How many times the data was gone through, as a fraction. */
  readonly epoch: number;
  /** What it found. */
  readonly evaluation: Evaluation;
  /** Seconds of the evaluation. */
  readonly seconds: number;
}

/** A line of a log. */
export type LogEntry = StepEntry | EvaluationEntry;

/** Writes a log. */
export class TrainingLog implements Disposable {
  readonly #file: Deno.FsFile;
  readonly #path: string;

  private constructor(
    file: Deno.FsFile,
    path: string,
    /** The lines that were there before. */
    readonly earlier: readonly LogEntry[],
  ) {
    [this.#file, this.#path] = [file, path];
  }

  /**
   * Open a log.
   *
   * @param given The file, which is made if it is missing.
   * @param step How many updates there were before; lines of later ones are dropped, and all where there were none.
   * @throws {FormatError} If a line that is kept is none of a log.
   * @throws {WriteError} If it cannot be written.
   */
  static async open(given: string | URL, step: number): Promise<TrainingLog> {
    const path = toPath(given);
    const earlier = step > 0 ? (await readLog(path)).filter((entry) => entry.step <= step) : [];
    const { folder, name } = splitPath(path);
    await makeFolder(folder);
    await writeFileAtomically(folder, name, earlier.map(lineOf).join(""));
    return new TrainingLog(await writing(path, () => Deno.open(path, { append: true })), path, earlier);
  }

  /** Write a line. @throws {WriteError} If it cannot be written. */
  write(entry: LogEntry): void {
    const bytes = new TextEncoder().encode(lineOf(entry));
    try {
      for (let at = 0; at < bytes.length;) at += this.#file.writeSync(bytes.subarray(at));
    } catch (error) {
      throw notWritten(this.#path, error);
    }
  }

  [Symbol.dispose](): void {
    this.#file.close();
  }
}

/**
 * Read a log; none where there is no such file.
 *
 * @throws {FormatError} If a line is none of a log, unless it is the last and was not written to its end.
 */
export async function readLog(given: string | URL): Promise<LogEntry[]> {
  const file = toPath(given);
  let text: string;
  try {
    text = await Deno.readTextFile(file);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw error;
  }
  const lines = text.split("\n").slice(0, -1); // what follows the last line break is nothing, or not whole
  return lines.map((line, i) => {
    const entry = parse(line);
    if (entry) return entry;
    throw new FormatError(`Cannot read the log ${file}: line ${i + 1} is no step or evaluation`, { file });
  });
}

function parse(line: string): LogEntry | undefined {
  try {
    const entry = JSON.parse(line);
    const known = isRecord(entry) && typeof entry.step === "number" && ("loss" in entry || isRecord(entry.evaluation));
    return known ? entry as unknown as LogEntry : undefined;
  } catch {
    return undefined;
  }
}

function lineOf(entry: LogEntry): string {
  return JSON.stringify(entry) + "\n";
}
