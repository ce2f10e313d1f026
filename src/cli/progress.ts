// A progress bar on standard error, drawn only on a terminal and only once work has taken half a second.
import { barStyle } from "./_bar_style.ts";
import { type Bar, loadBar } from "../packages/cli_progress.ts";

/** Shows how far the command is. */
export class Progress {
  #newBar: (() => Bar) | undefined;
  #bar: Bar | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** When the bar may appear, in milliseconds; never on what is no terminal. */
  #due = Infinity;
  #stage = "loading";
  #done = 0;
  #total = 1;

  /**
   * @param terminal Whether standard error is a terminal; nothing is ever drawn on anything else.
   * @param delay Milliseconds of work before the bar appears. @default 500
   */
  constructor(terminal: boolean, delay: number = 500) {
    if (!terminal) return;
    this.#due = performance.now() + delay;
    // The library is loaded ahead: work that blocks would keep it from coming when it is due.
    this.#timer = setTimeout(() => void this.#load(), delay / 2);
  }

  /** Set what is being done, and how much of it is done. */
  show(stage: string, done: number, total: number): void {
    [this.#stage, this.#done, this.#total] = [stage, done, Math.max(1, total)];
    this.#draw();
    this.#bar?.setTotal(this.#total);
    this.#bar?.update(done, { stage });
  }

  /** Clear the bar's line while `write` writes, then draw it again. */
  above(write: () => void): void {
    this.#bar?.stop();
    write();
    this.#bar?.start(this.#total, this.#done, { stage: this.#stage });
  }

  /** Clear the bar for good. */
  stop(): void {
    if (this.#timer !== undefined) clearTimeout(this.#timer);
    this.#due = Infinity;
    this.#bar?.stop();
    this.#bar = undefined;
  }

  async #load(): Promise<void> {
    const Bar = await loadBar();
    this.#newBar = () => new Bar({ ...barStyle, format: "{stage} [{bar}] {value}/{total}", barsize: 30 });
    if (this.#due < Infinity) this.#timer = setTimeout(() => this.#draw(), Math.max(0, this.#due - performance.now()));
  }

  #draw(): void {
    if (this.#bar || !this.#newBar || performance.now() < this.#due) return;
    this.#bar = this.#newBar();
    this.#bar.start(this.#total, this.#done, { stage: this.#stage });
  }
}
