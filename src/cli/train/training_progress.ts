// How far a training is: on a terminal a bar with the loss and the time left, elsewhere a line now and then.
import type { StepEntry } from "../../training/mod.ts";
import { formatSeconds } from "../_units.ts";
import type { Progress } from "../progress.ts";

/** Seconds between two lines where there is no terminal. */
const secondsBetweenLines = 30;

/** The share of the old mean in the loss and in the seconds of a step. */
const kept = 0.9;

/** Shows the steps of a training, and its evaluations. */
export class TrainingProgress {
  #loss: number | undefined;
  #seconds: number | undefined;
  #said = -Infinity;

  /**
   * @param progress The bar.
   * @param say Writes a line to standard error.
   * @param terminal Whether the bar is drawn.
   */
  constructor(
    private readonly progress: Progress,
    private readonly say: (line: string) => void,
    private readonly terminal: boolean = Deno.stderr.isTerminal(),
  ) {}

  /** Show a step. */
  readonly step = ({ step, epoch, loss, seconds }: StepEntry, { steps }: { readonly steps: number }): void => {
    this.#loss = mean(this.#loss, loss);
    this.#seconds = mean(this.#seconds, seconds);
    const left = formatSeconds((steps - step) * this.#seconds);
    const stage = `epoch ${epoch.toFixed(1)}, loss ${this.#loss.toFixed(4)}, ${left} left`;
    this.progress.show(stage, step, steps);
    const now = performance.now() / 1000;
    if (this.terminal || (now - this.#said < secondsBetweenLines && step < steps)) return;
    this.#said = now;
    this.say(`step ${step} of ${steps}: ${stage}`);
  };

  /** Show how far an evaluation is. */
  readonly evaluating = (done: number, total: number): void => this.progress.show("evaluating", done, total);
}

function mean(old: number | undefined, value: number): number {
  return old === undefined ? value : kept * old + (1 - kept) * value;
}
