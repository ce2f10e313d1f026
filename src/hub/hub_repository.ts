// A repository of the Hub by its name. Its files are read from the cache; a file that the cache lacks is fetched into it when
// it is opened. The revision is looked up once, so that all files are of one commit.
import { HubError } from "../errors/mod.ts";
import type { Network } from "./network/private_addresses.ts";
import { collectPieces, joinPieces } from "./network/response_body.ts";
import { type ByteSource, FileSource } from "./byte_source.ts";
import { ContentHash } from "./cache/content_hash.ts";
import { hubCacheFolder, hubEndpoint, hubToken, isOffline } from "./environment.ts";
import { checkFileName, decodeText, maxWholeBytes, readWhole } from "./folder_repository.ts";
import { HubCache } from "./cache/hub_cache.ts";
import { HubClient, type HubClientOptions, type RemoteFile } from "./hub_client.ts";
import { checkRevision, isCommit } from "./hub_name.ts";
import { downloadRanges } from "./cache/ranged_download.ts";
import type { Repository, RepositoryOptions } from "./repository.ts";
import type { Answer } from "./network/request.ts";
import { withoutSecrets } from "./network/without_secrets.ts";
import { type RetryPolicy, withRetries } from "./network/retry.ts";

/** Files of at most this many bytes are fetched by one request, if the Hub's own host sends them. */
const smallBytes = 4 << 20;

/** Options of {@linkcode HubRepository.open}, also those for tests. */
export interface HubRepositoryOptions extends RepositoryOptions {
  /** How names are resolved. @default the system's resolver */
  readonly network?: Network;
  /** How often, and after how long, a request is made again. */
  readonly retryPolicy?: RetryPolicy;
  /** Whether the name was sought as a folder's before, in vain: messages say so. @default false */
  readonly folderIsMissing?: boolean;
}

/** A repository of the Hub. */
export class HubRepository implements Repository {
  readonly #cache: HubCache;
  readonly #client: HubClient;
  readonly #revision: string;
  readonly #offline: boolean;
  /** The commit, once it is known. */
  #commit: Promise<string> | undefined;
  /** Why the Hub cannot be asked, if the cache is used in its place. */
  #unreachable: HubError | undefined;
  readonly #files = new Map<string, Promise<ByteSource | undefined>>();

  private constructor(
    readonly name: string,
    root: string,
    client: HubClientOptions,
    private readonly options: HubRepositoryOptions,
  ) {
    this.#cache = new HubCache(root, name);
    this.#client = new HubClient(client);
    this.#revision = checkRevision(options.revision ?? "main");
    this.#offline = options.localFilesOnly ?? isOffline();
  }

  /**
   * Open a repository; no request is made yet.
   *
   * @param name Its name on the Hub.
   * @throws {HubError} If no folder for the cache is known.
   */
  static async create(name: string, options: HubRepositoryOptions = {}): Promise<HubRepository> {
    const root = options.cacheDir ?? hubCacheFolder();
    if (!root) {
      throw new HubError(
        `Cannot load ${name} from the Hub: no folder for its cache is known; expected the option cacheDir, or HF_HUB_CACHE ` +
          `or HOME and --allow-env`,
      );
    }
    const { signal, timeouts, network } = options;
    const token = options.token ?? await hubToken();
    const endpoint = options.endpoint ?? hubEndpoint();
    const client = { endpoint, token, signal, timeouts, network };
    return new HubRepository(name, root.replace(/(?<=.)[/\\]+$/, ""), client, options);
  }

  whyMissing(): string | undefined {
    if (!this.#offline && !this.#unreachable) return undefined;
    const why = this.#unreachable ? "the Hub cannot be reached" : "no request may be made";
    return `only what ${this.#cache.folder} holds is known, for ${why}`;
  }

  async list(): Promise<string[]> {
    const commit = await this.commit;
    if (this.#offline || this.#unreachable) return await this.#cache.namesOf(commit);
    const files = await this.#client.list(this.name, commit);
    // Of a file in a folder only the outermost folder is listed.
    return [...new Set(files.map((file) => file.replace(/(?<=\/).*/s, "")))];
  }

  /** The folder that the files of a commit have in the cache. */
  snapshotOf(commit: string): string {
    return `${this.#cache.folder}/snapshots/${commit}`;
  }

  /** The commit that the files are of. */
  get commit(): Promise<string> {
    if (isCommit(this.#revision)) return Promise.resolve(this.#revision);
    const commit = this.#commit ??= this.#lookUp();
    commit.catch(() => this.#commit = undefined);
    return commit;
  }

  async open(file: string): Promise<ByteSource | undefined> {
    checkFileName(this.name, file);
    const commit = await this.commit;
    const known = this.#files.get(file) ?? this.#open(commit, file);
    this.#files.set(file, known);
    known.catch(() => this.#files.delete(file));
    return await known;
  }

  async blobOf(file: string): Promise<string | undefined> {
    const { path = "" } = await this.open(file) ?? {};
    return /[/\\]blobs[/\\]([0-9a-f]{40}|[0-9a-f]{64})$/.exec(path)?.[1];
  }

  /**
   * Remove those of the files that were opened whose content in the cache is damaged, so that they are fetched anew; none
   * where the Hub cannot be asked for them.
   *
   * @returns Whether there were any.
   */
  async removeDamaged(): Promise<boolean> {
    if (this.#offline || this.#unreachable) return false;
    const removed = await Promise.all([...this.#files.keys()].map(async (file) => {
      const etag = await this.blobOf(file);
      if (etag === undefined || !await this.#cache.removeDamaged(etag)) return false;
      return this.#files.delete(file);
    }));
    return removed.includes(true);
  }

  async readBytes(file: string): Promise<Uint8Array<ArrayBuffer> | undefined> {
    return await readWhole(await this.open(file));
  }

  async readText(file: string): Promise<string | undefined> {
    return decodeText(await this.readBytes(file), `${this.name}/${file}`);
  }

  /** Find the revision's commit; if that fails, the message adds that there is no folder of that name either. */
  async #lookUp(): Promise<string> {
    try {
      return await this.#askForCommit();
    } catch (error) {
      const mayMeanFolder = this.options.folderIsMissing && error instanceof HubError && error.code !== "not-allowed";
      if (!mayMeanFolder) throw error;
      const message = `${error.message}; nor is there a folder ${this.name} on this machine`;
      throw new HubError(message, { cause: error, code: error.code });
    }
  }

  /** Ask for the revision's commit, by requesting config.json, which every model has. */
  async #askForCommit(): Promise<string> {
    const cached = await this.#cache.commitOf(this.#revision);
    if (this.#offline) {
      if (cached) return cached;
      throw this.#notCached();
    }
    try {
      return await this.#fetch(this.#revision, "config.json", cached !== undefined);
    } catch (error) {
      const cacheServes = error instanceof HubError && (error.code === "network" || error.code === "not-allowed");
      if (!cached || !cacheServes) throw error;
      this.#unreachable = error;
      return cached;
    }
  }

  async #open(commit: string, file: string): Promise<ByteSource | undefined> {
    const found = await this.#cache.find(commit, file);
    if (found) return await FileSource.open(found);
    if (found === null || this.#unreachable) return undefined;
    if (this.#offline) {
      if (await this.#cache.commitOf(commit)) return undefined;
      throw this.#notCached();
    }
    await this.#fetch(commit, file);
    const path = await this.#cache.find(commit, file);
    return path ? await FileSource.open(path) : undefined;
  }

  #notCached(): HubError {
    const { folder } = this.#cache;
    const asked = this.options.localFilesOnly ? "localFilesOnly" : "HF_HUB_OFFLINE";
    return new HubError(
      `Cannot load ${this.name} at ${this.#revision}: ${folder} does not hold it, and ${asked} forbids to ask the Hub`,
      { code: "not-found" },
    );
  }

  /**
   * Fetch a file into the cache, or note that there is none.
   *
   * @param once Whether only one attempt is made, since the cache can be used instead.
   * @returns The commit.
   */
  async #fetch(revision: string, file: string, once = false): Promise<string> {
    const { signal, retryPolicy } = this.options;
    return await withRetries({ signal, retryPolicy: once ? { tries: 1 } : retryPolicy }, async () => {
      const found = await this.#client.find(this.name, revision, file);
      if (!("etag" in found)) {
        const { commit } = found;
        if (commit) await this.#cache.writeAbsence(revision, commit, file);
        return commit ?? this.#noCommit(revision, file);
      }
      try {
        if (await this.#cache.find(found.commit, file)) await this.#cache.remember(revision, found.commit);
        else await this.#store(found, revision, file);
        return found.commit;
      } finally {
        found.answer?.[Symbol.dispose]();
      }
    });
  }

  /** Make sure that the cache has a file's blob, and that the commit's snapshot links to it. */
  async #store(found: RemoteFile, revision: string, file: string): Promise<void> {
    const { etag, commit, size } = found;
    await this.#cache.prepare(revision, commit);
    using _lock = await this.#cache.lock(etag, this.options.signal);
    const length = await this.#cache.sizeOf(etag);
    const exists = length !== undefined && (size === undefined || length === size);
    if (!exists) await this.#download(found, this.#client.addressOf(this.name, revision, file), file);
    await this.#cache.link(etag, commit, file, !exists);
  }

  async #download({ etag, size, answer }: RemoteFile, url: URL, file: string): Promise<void> {
    const { signal, retryPolicy, onProgress } = this.options;
    const onBytes = (done: number) => onProgress?.({ stage: "downloading", file, done, total: size });
    if (answer && (size ?? 0) <= smallBytes) {
      return await this.#cache.writeBlob(etag, await receive(answer, etag, size, onBytes));
    }
    answer?.[Symbol.dispose]();
    const path = this.#cache.blob(etag);
    try {
      const options = { signal, retryPolicy, onBytes };
      await downloadRanges(this.#client, { url, etag, size: size! }, `${path}.limner.incomplete`, path, options);
    } catch (error) {
      throw this.#cache.unwritable(path, error);
    }
  }

  #noCommit(revision: string, file: string): string {
    if (isCommit(revision)) return revision;
    const address = withoutSecrets(this.#client.addressOf(this.name, revision, file));
    throw new HubError(`Cannot fetch ${address}: it is not there, and the answer has no X-Repo-Commit`, {
      code: "not-found",
    });
  }
}

/** Read a small file's answer, and check its content against its etag. */
async function receive(
  answer: Answer,
  etag: string,
  size: number | undefined,
  onBytes: (done: number) => void,
): Promise<Uint8Array> {
  const damaged = (what: string) => new HubError(answer.fail(what).message, { code: "damaged" });
  const tooLong = () => damaged(`it has more than the ${size ?? maxWholeBytes} bytes that were announced`);
  const content = joinPieces(await collectPieces(answer.body, size ?? maxWholeBytes, tooLong, onBytes));
  if (size !== undefined && content.length < size) {
    throw answer.fail(`${content.length} of ${size} bytes came`, new Error("truncated"));
  }
  const hash = new ContentHash(etag, content.length);
  hash.update(content);
  const problem = hash.problem();
  if (problem) throw damaged(problem);
  return content;
}
