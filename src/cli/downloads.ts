// What is being downloaded: on a terminal a bar a file with its bytes, rate and time left, elsewhere a line a file when
// it is there.
import { barStyle } from "./_bar_style.ts";
import { loadMultiBar, type MultiBar, type PartBar } from "../packages/cli_progress.ts";
import { formatBytes, formatSeconds } from "./_units.ts";

interface Download {
  readonly began: number;
  /** The bytes that were there already when it began. */
  readonly first: number;
  bar: PartBar | undefined;
}

/** Files on a terminal that are there sooner have no bar, in milliseconds. */
const delay = 300;

/** Shows downloads. */
export class Downloads {
  readonly #files = new Map<string, Download>();
  #newBars: (() => MultiBar) | undefined;
  #bars: MultiBar | undefined;

  /**
   * @param terminal Whether standard error is a terminal.
   * @param say Writes a line to standard error.
   */
  constructor(private readonly terminal: boolean, private readonly say: (line: string) => void) {}

  /** Whether bars are on the screen. */
  get areDrawn(): boolean {
    return this.#bars !== undefined;
  }

  /** Show how far a file has come. */
  show(file: string, done: number, total: number | undefined): void {
    let download = this.#files.get(file);
    if (!download) {
      this.#files.set(file, download = { began: performance.now(), first: done, bar: undefined });
      if (this.terminal && !this.#newBars) void this.#load();
    }
    const seconds = (performance.now() - download.began) / 1000;
    const rate = (done - download.first) / Math.max(seconds, 1e-3);
    if (done === total) return this.#finish(file, total, seconds);
    if (!this.terminal || !this.#newBars || seconds * 1000 < delay) return;
    const amount = total === undefined ? formatBytes(done) : `${formatBytes(done)} of ${formatBytes(total)}`;
    const left = total === undefined || rate === 0 ? "" : `, ${formatSeconds((total - done) / rate)} left`;
    const payload = { amount, rate: `${formatBytes(rate)}/s${left}` };
    this.#bars ??= this.#newBars();
    download.bar ??= this.#bars.create(total ?? done, done, { file, ...payload });
    download.bar.update(done, payload);
  }

  #finish(file: string, total: number, seconds: number): void {
    const { bar } = this.#files.get(file)!;
    this.#files.delete(file);
    if (!this.terminal) this.say(`downloaded ${file}, ${formatBytes(total)} in ${formatSeconds(seconds)}`);
    bar?.update(total, { amount: formatBytes(total), rate: `done in ${formatSeconds(seconds)}` });
    if (this.#files.size === 0) this.stop();
  }

  /** Take the bars from the screen. */
  stop(): void {
    this.#bars?.stop();
    this.#bars = undefined;
    for (const download of this.#files.values()) download.bar = undefined;
  }

  async #load(): Promise<void> {
    const Bars = await loadMultiBar();
    this.#newBars = () => new Bars({ ...barStyle, format: "{file} [{bar}] {amount}, {rate}", barsize: 20 });
  }
}
