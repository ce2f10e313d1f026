// Letting the disk keep up with what is written, or whoever flushes at the end waits for all of it then.

/** The disk is asked to keep what came after so many bytes. */
const paceBytes = 32 << 20;

/** Asks the disk, now and then, to keep what was written to a file. */
export class DiskPace {
  #written = 0;
  #syncing: Promise<void> | undefined;

  constructor(private readonly file: Deno.FsFile) {}

  /** Note that bytes were written; nobody waits. */
  wrote(bytes: number): void {
    this.#written += bytes;
    if (this.#written >= paceBytes && !this.#syncing) this.#syncing = this.#sync();
  }

  async #sync(): Promise<void> {
    this.#written = 0;
    await this.file.syncData().catch(() => {}); // the flush at the end tells
    this.#syncing = undefined;
  }

  /** Wait until everything is on the disk. */
  async flush(): Promise<void> {
    await this.#syncing;
    await this.file.sync();
  }
}
