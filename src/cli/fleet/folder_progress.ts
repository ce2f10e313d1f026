// How far a folder is: on a terminal a bar with pictures a second and the time left, elsewhere a line now and then.
import { formatCount, formatSeconds } from "../_units.ts";
import type { Progress } from "../progress.ts";

/** Milliseconds between two lines where there is no terminal. */
const lineEvery = 30_000;

/** Shows how far a folder is. */
export class FolderProgress {
  readonly #began = performance.now();
  #said = performance.now();
  #read = 0;

  /**
   * @param counts.total How many pictures are to be read.
   * @param counts.earlier How many were read in earlier runs.
   * @param say Writes a line to standard error.
   */
  constructor(
    private readonly counts: { readonly total: number; readonly earlier: number },
    private readonly progress: Progress,
    private readonly say: (line: string) => void,
  ) {
    if (counts.earlier > 0) {
      progress.above(() =>
        say(`${formatCount(counts.earlier, "picture")} ${counts.earlier === 1 ? "was" : "were"} read before`)
      );
    }
  }

  /** Count a picture. */
  hasRead(): void {
    this.#read++;
    const { total } = this.counts;
    this.progress.show(this.#pace(), this.#read, total);
    if (Deno.stderr.isTerminal() || performance.now() - this.#said < lineEvery) return;
    this.#said = performance.now();
    this.say(`${this.#read} of ${total} pictures, ${this.#pace()}`);
  }

  /** Say what it came to. */
  end(): void {
    const seconds = (performance.now() - this.#began) / 1000;
    this.progress.stop();
    this.say(
      `${formatCount(this.#read, "picture")} in ${formatSeconds(seconds)}, ${
        (this.#read / seconds).toFixed(1)
      } a second`,
    );
  }

  #pace(): string {
    const seconds = (performance.now() - this.#began) / 1000;
    const rate = this.#read / seconds;
    return `${rate.toFixed(1)} pictures a second, ${formatSeconds((this.counts.total - this.#read) / rate)} left`;
  }
}
