// Files that appear whole or not at all: written under a temporary name beside the target, flushed to the disk, renamed.
// The temporary file is locked while its writer lives, so what a killed process left behind can be told and removed.

const temporary = /^\.limner-[0-9a-f]{8}\.tmp$/;

/** A file under way; it takes its name when it is committed, and is gone if it is disposed of before. */
export class PendingFile implements Disposable {
  #open = true;

  private constructor(readonly target: string, readonly path: string, readonly file: Deno.FsFile) {}

  /**
   * Begin a file.
   *
   * @param target The path it is to have; its folder must exist.
   */
  static async create(target: string): Promise<PendingFile> {
    const path = `${folderOf(target)}/.limner-${crypto.randomUUID().slice(0, 8)}.tmp`;
    const file = await Deno.open(path, { write: true, createNew: true });
    await file.tryLock(true).catch(() => {}); // some network file systems have no locks
    return new PendingFile(target, path, file);
  }

  /** Append bytes. */
  async write(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length;) at += await this.file.write(bytes.subarray(at));
  }

  /** Flush the file to the disk, and give it its name; what had that name before is replaced at once. */
  async commit(): Promise<void> {
    await this.file.sync();
    if (Deno.build.os === "windows") this.#close(); // an open file cannot be renamed there
    await Deno.rename(this.path, this.target);
    this.#close();
    await syncFolder(folderOf(this.target));
  }

  [Symbol.dispose](): void {
    if (!this.#open) return;
    this.#close();
    try {
      Deno.removeSync(this.path);
    } catch { /* it is already gone, or the next save removes it */ }
  }

  #close(): void {
    if (this.#open) this.file.close();
    this.#open = false;
  }
}

/**
 * Write a small file whole or not at all.
 *
 * @param path The file; an existing one is replaced.
 * @param content Text or bytes.
 */
export async function writeFileAtomically(path: string, content: string | Uint8Array): Promise<void> {
  using pending = await PendingFile.create(path);
  await pending.write(typeof content === "string" ? new TextEncoder().encode(content) : content);
  await pending.commit();
}

/** Remove temporary files of writers that no longer live. Whatever cannot be looked at is left alone. */
export async function removeStaleFiles(folder: string): Promise<void> {
  try {
    for await (const { name } of Deno.readDir(folder)) {
      if (!temporary.test(name)) continue;
      using file = await Deno.open(`${folder}/${name}`, { read: true, write: true });
      if (await file.tryLock(true)) await Deno.remove(`${folder}/${name}`);
    }
  } catch { /* tidying up must not make a save fail */ }
}

/** Flush a folder's list of names to the disk, where the system lets a folder be opened. */
async function syncFolder(folder: string): Promise<void> {
  try {
    using handle = await Deno.open(folder);
    await handle.sync();
  } catch { /* Windows, or no permission to read: the rename itself was done */ }
}

/** The folder of a path. */
function folderOf(path: string): string {
  return /^(.*)[/\\][^/\\]*$/s.exec(path)?.[1] ?? ".";
}
