// A lock between processes by means of a file, as Python's `filelock` takes it too. A killed process leaves the file but no
// lock.

/** Milliseconds between two attempts. */
const pollMilliseconds = 50;

/**
 * Take a lock.
 *
 * @param path The lock's file, made if it is missing and left in place.
 * @param signal Ends the waiting.
 * @returns The lock; disposing of it releases it.
 */
export async function lockFile(path: string, signal?: AbortSignal): Promise<Disposable> {
  for (;;) {
    signal?.throwIfAborted();
    const file = await Deno.open(path, { read: true, write: true, create: true, mode: 0o664 });
    try {
      // Some network file systems have no locks; there, atomic renames alone have to suffice.
      if (await file.tryLock(true).catch(() => true) && await isSame(file, path)) {
        return { [Symbol.dispose]: () => file.close() };
      }
    } catch (error) {
      file.close();
      throw error;
    }
    file.close();
    await new Promise((resolve) => setTimeout(resolve, pollMilliseconds));
  }
}

/** Whether the open file is still the one under the path: some programs remove the file when they unlock it. */
async function isSame(file: Deno.FsFile, path: string): Promise<boolean> {
  const [open, there] = await Promise.all([file.stat(), Deno.stat(path).catch(() => undefined)]);
  return there !== undefined && open.ino === there.ino && open.dev === there.dev;
}
