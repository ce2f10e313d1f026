// Writes a growing file to the disk in the background, so that the flush at its end waits for the last part only.

/** The system is asked to write to the disk after this many new bytes. */
const bytesPerSync = 32 << 20;

/** Asks the system, from time to time and without waiting, to write what is new in a file to the disk. */
export class BackgroundSync {
  #written = 0;
  #syncing: Promise<void> | undefined;

  constructor(private readonly file: Deno.FsFile) {}

  /** Note that bytes were written to the file; the caller does not wait. */
  wrote(bytes: number): void {
    this.#written += bytes;
    if (this.#written >= bytesPerSync && !this.#syncing) this.#syncing = this.#sync();
  }

  async #sync(): Promise<void> {
    this.#written = 0;
    await this.file.syncData().catch(() => {}); // flush() reports the failure
    this.#syncing = undefined;
  }

  /** Wait until everything is on the disk. */
  async flush(): Promise<void> {
    await this.#syncing;
    await this.file.sync();
  }
}
