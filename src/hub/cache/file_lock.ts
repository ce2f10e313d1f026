// A lock that processes share by a file, Python's `filelock` among them. A killed process leaves the file, not the lock.

/** Milliseconds between two tries. */
const patience = 50;

/**
 * Take a lock.
 *
 * @param path The lock's file, made if it is missing and left in place.
 * @param signal Ends the waiting.
 * @returns What gives the lock back when it is disposed of.
 */
export async function lockFile(path: string, signal?: AbortSignal): Promise<Disposable> {
  for (;;) {
    signal?.throwIfAborted();
    const file = await Deno.open(path, { read: true, write: true, create: true, mode: 0o664 });
    try {
      // Some network file systems have no locks: there, files that are whole or not at all have to do.
      if (await file.tryLock(true).catch(() => true) && await isSame(file, path)) {
        return { [Symbol.dispose]: () => file.close() };
      }
    } catch (error) {
      file.close();
      throw error;
    }
    file.close();
    await new Promise((resolve) => setTimeout(resolve, patience));
  }
}

/** Whether the open file is still the one under the path: some who unlock remove it. */
async function isSame(file: Deno.FsFile, path: string): Promise<boolean> {
  const [open, there] = await Promise.all([file.stat(), Deno.stat(path).catch(() => undefined)]);
  return there !== undefined && open.ino === there.ino && open.dev === there.dev;
}
