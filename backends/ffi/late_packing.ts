// When programs get packed copies of large weights. A copy of a gigabyte takes longer to make than one picture takes to read without
// it, so that a process which reads one picture is better off with none; from the second picture on, copies are faster.
import type { ParameterReader } from "../onnx/session/mod.ts";

/** Weights of so many bytes are large: to compile a program twice takes less than to copy them. */
export const largeWeights = 32 * 2 ** 20;

/** When a program gets packed copies of its weights. */
export type PackingTime = "now" | "later" | "never";

/**
 * After so many rows of one use a program that runs step by step has lost the time that the copies take: with them a step of one row
 * takes 0.8 of the time, and of four rows half.
 */
const manyRows = 128;

/** A program that waits. */
interface Waiting {
  /** How much it has run: how often, or how many rows its steps had. */
  runs: number;
  /** Whether a use of it takes many runs, of one step each. */
  readonly inSteps: boolean;
}

/** The programs of one model that get packed copies when they are used again. */
export class LatePacking {
  readonly #waiting = new Map<ParameterReader, Waiting>();
  /** Whether any program has been used again. */
  #reused = false;

  /** @param isCopied Whether a program has a copy already of some parameters that another one reads: there is one of each. */
  constructor(readonly isCopied: (program: ParameterReader) => boolean) {}

  /**
   * Let a program wait for its copies: until it, or another that waits, runs for a second time, or has had steps of many rows.
   *
   * @param inSteps Whether a use of it takes many runs, of one step each.
   */
  add(program: ParameterReader, inSteps: boolean): void {
    this.#waiting.set(program, { runs: 0, inSteps });
  }

  /** A program is to get no copies any more. */
  delete(program: ParameterReader): void {
    this.#waiting.delete(program);
  }

  /**
   * Count a run that begins.
   *
   * @param rows How many rows its products have.
   * @returns What it waits for: copies for all programs that have run, made side by side.
   */
  beforeRun(program: ParameterReader, rows: () => number): Promise<void> | undefined {
    const waiting = this.#waiting.get(program);
    if (!waiting) return;
    const { inSteps, runs } = waiting;
    waiting.runs += inSteps ? rows() : 1;
    if (runs < (inSteps && !this.#reused ? manyRows : 1)) return;
    this.#reused = true;
    const programs = [...this.#waiting].filter(([, { runs }]) => runs > 0).map(([each]) => each);
    return this.#pack(programs);
  }

  async #pack(programs: readonly ParameterReader[]): Promise<void> {
    const copies: Promise<void>[] = [];
    for (const program of programs) {
      this.#waiting.delete(program);
      // A program has a copy as soon as it is asked to make one.
      if (!this.isCopied(program)) copies.push(program.pack());
    }
    await Promise.all(copies);
  }
}
