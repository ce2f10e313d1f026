// The part of the Hub's cache that belongs to one repository, by Hugging Face's specification, which Python follows too:
// blobs named by their etag, snapshots of symbolic links to them, refs from branches to commits, and what does not exist.
import { HubError } from "../../errors/mod.ts";
import { isMissing } from "../byte_source.ts";
import { PendingFile, removeStaleFiles } from "../atomic_file.ts";
import { isSet } from "../environment.ts";
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
    const own = `models--${name.replaceAll("/", "--")}`;
    this.folder = `${root}/${own}`;
    this.#locks = `${root}/.locks/${own}`;
  }

  /** The commit that a branch or tag was at when it was last looked up, if its snapshot is there. */
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

  /** The path of a blob, whether it is there or not. */
  blob(etag: string): string {
    return `${this.folder}/blobs/${etag}`;
  }

  /** The size of a blob; undefined if it is not there. */
  async sizeOf(etag: string): Promise<number | undefined> {
    return await Deno.stat(this.blob(etag)).then(({ size, isFile }) => isFile ? size : undefined, () => undefined);
  }

  /** Make the folders that a file needs, and remember what its revision is. */
  async prepare(revision: string, commit: string): Promise<void> {
    await this.#writing(`${this.folder}/blobs`, async () => {
      await Deno.mkdir(`${this.folder}/blobs`, { recursive: true });
      // A ref to a commit without a snapshot is damage in Python's eyes.
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
      // Begun among the blobs: everything in refs counts as one.
      using pending = await PendingFile.of(`${this.folder}/blobs`, commit);
      await pending.appear(`../refs/${revision}`);
    });
  }

  /** Remember what a revision is, where the cache may be written; one that only may be read serves all the same. */
  async remember(revision: string, commit: string): Promise<void> {
    if (revision !== commit) await this.#writeRef(revision, commit).catch(() => {});
  }

  /** Remember that a commit has no file of a name. */
  async writeAbsence(revision: string, commit: string, file: string): Promise<void> {
    await this.prepare(revision, commit);
    const path = `${this.folder}/.no_exist/${commit}/${file}`;
    await this.#writing(path, async () => {
      await Deno.mkdir(path.slice(0, path.lastIndexOf("/")), { recursive: true });
      (await Deno.create(path)).close();
    });
  }

  /** Wait until nobody else, Python included, fetches a blob, and keep others waiting until this is disposed of. */
  async lock(etag: string, signal?: AbortSignal): Promise<Disposable> {
    const path = `${this.#locks}/${etag}.lock`;
    return await this.#writing(path, async () => {
      await Deno.mkdir(this.#locks, { recursive: true });
      return await lockFile(path, signal);
    });
  }

  /** Give a small blob its content, whole or not at all. */
  async writeBlob(etag: string, content: Uint8Array): Promise<void> {
    await this.#writing(this.blob(etag), async () => {
      using pending = await PendingFile.of(`${this.folder}/blobs`, content);
      await pending.appear(etag);
    });
  }

  /**
   * Put a blob into a commit's snapshot: by a relative symbolic link, or where there can be none as the file itself.
   *
   * @param isNew Whether nothing else can be linked to the blob, so that it may be moved.
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
        if (error instanceof Deno.errors.AlreadyExists) return; // another process was as fast
        await (isNew ? Deno.rename : Deno.copyFile)(this.blob(etag), path);
      });
      return path;
    });
  }

  async #symlink(target: string, path: string): Promise<void> {
    if (isSet("HF_HUB_DISABLE_SYMLINKS")) throw new Error("symbolic links are switched off");
    await Deno.symlink(target, path, { type: "file" });
  }

  /** Write to the cache, and say what is wrong with it where that fails. */
  async #writing<T>(path: string, write: () => Promise<T>): Promise<T> {
    try {
      return await write();
    } catch (error) {
      throw this.unwritable(path, error);
    }
  }

  /** An error of the file system, as a person should read it; others as they are. */
  unwritable(path: string, error: unknown): unknown {
    if (!(error instanceof Error) || error instanceof HubError) return error;
    const number = Number(/\(os error (\d+)\)/.exec(error.message)?.[1]);
    const notPermitted = error instanceof Deno.errors.NotCapable;
    if (Number.isNaN(number) && !notPermitted) return error;
    const what = notPermitted
      ? `it is not permitted, and --allow-write=${this.root} was expected`
      : noRoom.includes(number)
      ? `there is no room for it (${error.message}); what has come is kept, and the next try goes on from there`
      : `${error.message}; the option cacheDir or HF_HUB_CACHE names another folder`;
    return new HubError(`Cannot write ${path}: ${what}`, { cause: error });
  }

  #unreadable(path: string, error: unknown): HubError {
    return new HubError(`Cannot read ${path}: ${(error as Error).message}`, { cause: error });
  }
}

/** The system's numbers for a full disk, a file that may not be so long, and a used quota; Windows' for a full disk. */
const noRoom = [28, 27, 122, 112];

async function readText(path: string): Promise<string | undefined> {
  return await Deno.readTextFile(path).catch(() => undefined);
}

async function exists(path: string): Promise<boolean> {
  return await Deno.stat(path).then(() => true, () => false);
}
