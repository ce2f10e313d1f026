// One repository's folder in the Hub's cache, as Hugging Face specifies it and Python reads it. Think of it as a small git:
// `blobs` has contents, each named by its etag; `snapshots/COMMIT` has a file's name as a symbolic link to its blob; `refs` has
// the commit of each branch and tag; `.no_exist/COMMIT` has an empty file for each name that the commit is known not to have.
// A blob and a ref appear by a rename, when they are whole.
import { HubError, WriteError } from "../../errors/mod.ts";
import { systemCodeOf, whyNotWritten } from "../../errors/writing.ts";
import { isMissing } from "../byte_source.ts";
import { ContentHash } from "./content_hash.ts";
import { PendingFile, removeStaleFiles } from "../atomic_file.ts";
import { isEnabled } from "../environment.ts";
import { lockFile } from "./file_lock.ts";
import { isCommit } from "../hub_name.ts";

/** A repository's folder in the cache. */
export class HubCache {
  /** The folder of this repository. */
  readonly folder: string;
  readonly #locks: string;
  #tidied = false;

  /**
   * @param root The cache's folder.
   * @param name The repository's name on the Hub.
   */
  constructor(readonly root: string, name: string) {
    const folderName = `models--${name.replaceAll("/", "--")}`;
    this.folder = `${root}/${folderName}`;
    this.#locks = `${root}/.locks/${folderName}`;
  }

  /** The commit that a branch or tag was at when it was last looked up, if that commit's snapshot exists. */
  async commitOf(revision: string): Promise<string | undefined> {
    const commit = isCommit(revision) ? revision : (await readText(`${this.folder}/refs/${revision}`))?.trim();
    if (!commit || !isCommit(commit)) return undefined;
    return await exists(`${this.folder}/snapshots/${commit}`) ? commit : undefined;
  }

  /**
   * Look for a file of a commit.
   *
   * @returns Its path; null if the commit is known to have none of that name; undefined if nothing is known.
   * @throws {HubError} If it is a symbolic link that leads out of the cache.
   */
  async find(commit: string, file: string): Promise<string | null | undefined> {
    const path = `${this.folder}/snapshots/${commit}/${file}`;
    let real: string;
    try {
      real = await Deno.realPath(path);
    } catch (error) {
      if (isMissing(error)) return await exists(`${this.folder}/.no_exist/${commit}/${file}`) ? null : undefined;
      throw this.#unreadable(path, error);
    }
    const inside = await Promise.all([this.folder, this.root].map((folder) => Deno.realPath(folder)));
    if (inside.some((folder) => real.startsWith(`${folder}/`) || real.startsWith(`${folder}\\`))) return path;
    throw new HubError(`Cannot read ${path}: it is a symbolic link that leads out of the cache, to ${real}`, {
      code: "damaged",
    });
  }

  /** The names in a commit's snapshot, of folders with a `/` at the end: what was fetched of it. */
  async namesOf(commit: string): Promise<string[]> {
    const path = `${this.folder}/snapshots/${commit}`;
    try {
      const entries = await Array.fromAsync(Deno.readDir(path));
      return entries.map(({ name, isDirectory }) => isDirectory ? `${name}/` : name);
    } catch (error) {
      if (isMissing(error)) return [];
      throw this.#unreadable(path, error);
    }
  }

  /** The path of a blob, whether it exists or not. */
  blob(etag: string): string {
    return `${this.folder}/blobs/${etag}`;
  }

  /** The size of a blob; undefined if it does not exist. */
  async sizeOf(etag: string): Promise<number | undefined> {
    return await Deno.stat(this.blob(etag)).then(({ size, isFile }) => isFile ? size : undefined, () => undefined);
  }

  /**
   * Remove a blob whose content has another hash than its name says: a disk failed, or another program.
   *
   * @returns Whether it was removed.
   */
  async removeDamaged(etag: string): Promise<boolean> {
    const path = this.blob(etag);
    {
      using file = await Deno.open(path);
      const hash = new ContentHash(etag, (await file.stat()).size);
      for (const buffer = new Uint8Array(1 << 20);;) {
        const length = await file.read(buffer);
        if (length === null) break;
        hash.update(buffer.subarray(0, length));
      }
      if (hash.problem() === undefined) return false;
    }
    await this.#writing(path, () => Deno.remove(path));
    return true;
  }

  /** Make the folders that a file needs, and write the commit of its revision. */
  async prepare(revision: string, commit: string): Promise<void> {
    await this.#writing(`${this.folder}/blobs`, async () => {
      await Deno.mkdir(`${this.folder}/blobs`, { recursive: true });
      // Python takes a ref to a commit without a snapshot for damage.
      await Deno.mkdir(`${this.folder}/snapshots/${commit}`, { recursive: true });
    });
    if (!this.#tidied) await removeStaleFiles(`${this.folder}/blobs`);
    this.#tidied = true;
    if (revision !== commit) await this.#writeRef(revision, commit);
  }

  async #writeRef(revision: string, commit: string): Promise<void> {
    const path = `${this.folder}/refs/${revision}`;
    if (await readText(path) === commit) return;
    await this.#writing(path, async () => {
      await Deno.mkdir(path.slice(0, path.lastIndexOf("/")), { recursive: true });
      // The temporary file is in blobs, since every file in refs counts as a ref.
      using pending = await PendingFile.of(`${this.folder}/blobs`, revision, commit);
      await pending.appear(`../refs/${revision}`);
    });
  }

  /** Write the commit of a revision, if the cache can be written; nothing fails where it can only be read. */
  async remember(revision: string, commit: string): Promise<void> {
    if (revision !== commit) await this.#writeRef(revision, commit).catch(() => {});
  }

  /** Write that a commit has no file of a name. */
  async writeAbsence(revision: string, commit: string, file: string): Promise<void> {
    await this.prepare(revision, commit);
    const path = `${this.folder}/.no_exist/${commit}/${file}`;
    await this.#writing(path, async () => {
      await Deno.mkdir(path.slice(0, path.lastIndexOf("/")), { recursive: true });
      (await Deno.create(path)).close();
    });
  }

  /** Wait until no other process, Python's included, fetches a blob, and keep others waiting until the result is disposed of. */
  async lock(etag: string, signal?: AbortSignal): Promise<Disposable> {
    const path = `${this.#locks}/${etag}.lock`;
    return await this.#writing(path, async () => {
      await Deno.mkdir(this.#locks, { recursive: true });
      return await lockFile(path, signal);
    });
  }

  /** Write a small blob, whole or not at all. */
  async writeBlob(etag: string, content: Uint8Array): Promise<void> {
    await this.#writing(this.blob(etag), async () => {
      using pending = await PendingFile.of(`${this.folder}/blobs`, etag, content);
      await pending.appear();
    });
  }

  /**
   * Put a blob into a commit's snapshot, as a relative symbolic link or, where links are not possible, as the file itself.
   *
   * @param isNew Whether no other snapshot can link to the blob yet, so that it may be moved instead of copied.
   * @returns The file's path in the snapshot.
   */
  async link(etag: string, commit: string, file: string, isNew: boolean): Promise<string> {
    const path = `${this.folder}/snapshots/${commit}/${file}`;
    const target = `${"../".repeat(file.split("/").length + 1)}blobs/${etag}`;
    return await this.#writing(path, async () => {
      await Deno.mkdir(path.slice(0, path.lastIndexOf("/")), { recursive: true });
      if (await exists(path)) return path;
      await Deno.remove(path).catch(() => {}); // a link to a blob that is gone
      await this.#symlink(target, path).catch(async (error) => {
        if (error instanceof Deno.errors.AlreadyExists) return; // another process has made it meanwhile
        await (isNew ? Deno.rename : Deno.copyFile)(this.blob(etag), path);
      });
      return path;
    });
  }

  async #symlink(target: string, path: string): Promise<void> {
    if (isEnabled("HF_HUB_DISABLE_SYMLINKS")) throw new Error("symbolic links are switched off");
    await Deno.symlink(target, path, { type: "file" });
  }

  /** Write to the cache; a failure is explained as `unwritable` does. */
  async #writing<T>(path: string, write: () => Promise<T>): Promise<T> {
    try {
      return await write();
    } catch (error) {
      throw this.unwritable(path, error);
    }
  }

  /** An error of the file system with a message for a person; other errors are returned as they are. */
  unwritable(path: string, given: unknown): unknown {
    // That of a file which was begun says why, and not what to do about a cache.
    const error = given instanceof WriteError ? given.cause : given;
    const why = whyNotWritten(error);
    if (why === undefined) return given;
    const code = systemCodeOf(error as Error);
    const what = (error as Error).name === "NotCapable"
      ? `it is not permitted, and --allow-write=${this.root} was expected`
      : noRoom.includes(code!)
      ? `${why}; what has come is kept, and the next try goes on from there`
      : `${why}; the option cacheDir or HF_HUB_CACHE names another folder`;
    return new WriteError(`Cannot write ${path}: ${what}`, path, { cause: error });
  }

  #unreadable(path: string, error: unknown): HubError {
    return new HubError(`Cannot read ${path}: ${(error as Error).message}`, { cause: error });
  }
}

/** The codes of a full disk, of a file that is too large, and of a share that is used up. */
const noRoom: readonly string[] = ["ENOSPC", "EFBIG", "EDQUOT"];

async function readText(path: string): Promise<string | undefined> {
  return await Deno.readTextFile(path).catch(() => undefined);
}

async function exists(path: string): Promise<boolean> {
  return await Deno.stat(path).then(() => true, () => false);
}
