// Files that appear whole or not at all: written under a temporary name in their folder, flushed to the disk, renamed.
// The temporary file is locked while its writer lives, so what a killed process left can be recognised and removed.
import { WriteError } from "../errors/mod.ts";
import { writing } from "../errors/writing.ts";
import { BackgroundSync } from "./background_sync.ts";

const temporary = /^\.limner-[0-9a-f]{8}\.tmp$/;

/**
 * A file that is being written: it gets its name when it appears, and is removed if it is disposed of without that. What the
 * system refuses is a WriteError with that name.
 */
export class PendingFile implements Disposable {
  #open = true;
  readonly #sync: BackgroundSync;

  private constructor(
    readonly folder: string,
    readonly name: string,
    readonly path: string,
    readonly file: Deno.FsFile,
  ) {
    this.#sync = new BackgroundSync(file);
  }

  /**
   * Begin a file.
   *
   * @param folder The folder it is to be in, which must exist.
   * @param name The file's name there, which messages call it by.
   */
  static async create(folder: string, name: string): Promise<PendingFile> {
    for (;;) {
      const path = `${folder}/.limner-${crypto.randomUUID().slice(0, 8)}.tmp`;
      const file = await writing(pathIn(folder, name), () => Deno.open(path, { write: true, createNew: true }));
      const locked = await file.tryLock(true).catch(() => true); // some network file systems have no locks
      // Until it is locked, another writer can take it for a killed process's, and remove it.
      if (locked && await isThere(path)) return new PendingFile(folder, name, path, file);
      file.close();
    }
  }

  /**
   * Write a file whose whole content is in memory.
   *
   * @param content Text or bytes.
   */
  static async of(folder: string, name: string, content: string | Uint8Array): Promise<PendingFile> {
    using stack = new DisposableStack();
    const pending = stack.use(await PendingFile.create(folder, name));
    await pending.write(typeof content === "string" ? new TextEncoder().encode(content) : content);
    await pending.flush();
    stack.move();
    return pending;
  }

  /** Append bytes. */
  async write(bytes: Uint8Array): Promise<void> {
    await this.#writing(async () => {
      for (let at = 0; at < bytes.length;) at += await this.file.write(bytes.subarray(at));
    });
    this.#sync.wrote(bytes.length);
  }

  /** Wait until the bytes are on the disk. */
  async flush(): Promise<void> {
    await this.#writing(() => this.#sync.flush());
  }

  /** Give the flushed file its name, or another; a file that had that name is replaced in the same moment. */
  async appear(name: string = this.name): Promise<void> {
    if (Deno.build.os === "windows") this.#close(); // an open file cannot be renamed there
    await this.#writing(() => Deno.rename(this.path, `${this.folder}/${name}`));
    this.#close();
  }

  #writing<T>(work: () => Promise<T>): Promise<T> {
    return writing(pathIn(this.folder, this.name), work);
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
 * @param folder The folder, which must exist.
 * @param name The file's name; an existing one is replaced.
 * @param content Text or bytes.
 */
export async function writeFileAtomically(folder: string, name: string, content: string | Uint8Array): Promise<void> {
  using pending = await PendingFile.of(folder, name, content);
  await pending.appear();
  await syncFolder(folder);
}

/** A file's path for messages. */
function pathIn(folder: string, name: string): string {
  return folder === "." ? name : `${folder.replace(/[/\\]$/, "")}/${name}`;
}

/**
 * Check that files of these names can appear, before the first does: no folder has one of them.
 *
 * @throws {WriteError} If one has.
 */
export async function checkNames(folder: string, names: Iterable<string>): Promise<void> {
  for (const name of names) {
    const path = pathIn(folder, name);
    const isFolder = await Deno.stat(`${folder}/${name}`).then(({ isDirectory }) => isDirectory, () => false);
    if (isFolder) throw new WriteError(`Cannot write ${path}: it is a folder`, path);
  }
}

async function isThere(path: string): Promise<boolean> {
  return await Deno.lstat(path).then(() => true, (error) => !(error instanceof Deno.errors.NotFound));
}

/** Remove the temporary files of writers that no longer run. A file that cannot be opened is left alone. */
export async function removeStaleFiles(folder: string): Promise<void> {
  try {
    for await (const { name } of Deno.readDir(folder)) {
      if (!temporary.test(name)) continue;
      using file = await Deno.open(`${folder}/${name}`, { read: true, write: true });
      if (await file.tryLock(true)) await Deno.remove(`${folder}/${name}`);
    }
  } catch { /* tidying up must not make a save fail */ }
}

/**
 * Wait until no other writer renames in a folder, and keep others waiting until the result is disposed of. Where the system
 * has no such locks, nobody waits. The lock of a killed process ends with it.
 */
export async function lockFolder(folder: string): Promise<Disposable> {
  let handle: Deno.FsFile | undefined;
  try {
    handle = await Deno.open(folder);
    await handle.lock(true);
  } catch { /* Windows opens no folder, some network file systems lock none */ }
  return { [Symbol.dispose]: () => handle?.close() };
}

/** Flush a folder's list of names to the disk, where the system lets a folder be opened. */
export async function syncFolder(folder: string): Promise<void> {
  try {
    using handle = await Deno.open(folder);
    await handle.sync();
  } catch { /* Windows, or no permission to read: the rename itself was done */ }
}
