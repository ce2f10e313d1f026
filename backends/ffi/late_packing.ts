// When programs get packed copies of large weights. A copy of a gigabyte takes longer to make than one picture takes to read without
// it, so that a process which reads one picture is better off with none; from the second picture on, copies are faster.
import type { ParameterReader } from "../onnx/session/mod.ts";

/** Weights of so many bytes are large: to compile a program twice takes less than to copy them. */
export const largeWeights = 32 * 2 ** 20;

/** When a program gets packed copies of its weights. */
export type PackingTime = "now" | "later" | "never";

/** After so many steps of one text a program that runs step by step has lost the time that the copies take. */
const manySteps = 128;

/** The programs of one model that get packed copies when they are used again. */
export class LatePacking {
  /** How many runs each program has before the one that the copies are made for. */
  readonly #runsLeft = new Map<ParameterReader, number>();

  /**
   * Let a program wait for its copies: until one of the programs that wait runs for a second time, or for many steps.
   *
   * @param inSteps Whether a use of it takes many runs, of one step each.
   */
  add(program: ParameterReader, inSteps: boolean): void {
    this.#runsLeft.set(program, inSteps ? manySteps : 1);
  }

  /** A program is to get no copies, or none any more. */
  delete(program: ParameterReader): void {
    this.#runsLeft.delete(program);
  }

  /** Count a run that begins. @returns What it waits for: copies for all programs that wait, made side by side. */
  beforeRun(program: ParameterReader): Promise<void> | undefined {
    const left = this.#runsLeft.get(program);
    if (left === undefined) return;
    if (left > 0) return void this.#runsLeft.set(program, left - 1);
    const programs = [...this.#runsLeft.keys()];
    this.#runsLeft.clear();
    return Promise.all(programs.map((each) => each.pack())).then(() => {});
  }
}
