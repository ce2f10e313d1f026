// A Hub on this machine that behaves as Hugging Face's: one host for names, redirects and small files, another for the
// content of large ones; its headers, error codes, ranges, gates, and on request its slowness and its breaks.
import { createHash } from "node:crypto";

/** A file's content, or how it is made when it is too large to be held. */
export type Content = Uint8Array | { readonly size: number; read(offset: number, length: number): Uint8Array };

/** A request that came. */
export interface SeenRequest {
  /** Whether it came to the host of large files. */
  readonly cdn: boolean;
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly range: string | null;
  readonly authorization: string | null;
  /** Bytes of the body that were handed over. */
  sent: number;
}

/** What a test may do to a request in place of the usual answer. */
export type Fault = (seen: SeenRequest, request: Request) => Response | undefined | Promise<Response | undefined>;

interface StoredFile {
  readonly content: Content;
  readonly size: number;
  /** SHA-256 where the content is large. */
  readonly sha256?: string;
  /** The etag: SHA-256 of a large file, git's SHA-1 of a small one. */
  readonly etag: string;
}

interface StoredRepository {
  readonly commits: Map<string, Map<string, StoredFile>>;
  readonly refs: Map<string, string>;
  /** Who may read it: everybody, those with a token, or those with a token who have accepted its terms. */
  readonly access: "public" | "private" | "gated";
}

const large = /\.(safetensors|bin|h5|msgpack|model)$/;

/** A Hub that listens on this machine. */
export class HubServer implements AsyncDisposable {
  readonly requests: SeenRequest[] = [];
  /** Tokens that may read private repositories, and those that may read gated ones. */
  readonly tokens = { valid: new Set(["hf_valid", "hf_accepted"]), accepted: new Set(["hf_accepted"]) };
  /** Asked before each request is answered. */
  fault: Fault | undefined;
  /** The most bytes a second of all bodies together. */
  rate = Infinity;
  /** Bytes after which the body of a large file breaks off; counted anew for each request. */
  breakAfter = Infinity;
  /** Whether large files are sent in parts where parts are asked for. */
  ranges = true;
  readonly #repositories = new Map<string, StoredRepository>();
  readonly #renamed = new Map<string, string>();
  readonly #blobs = new Map<string, Content>();
  readonly #stop = new AbortController();
  readonly #hub: Deno.HttpServer<Deno.NetAddr>;
  readonly #cdn: Deno.HttpServer<Deno.NetAddr>;
  #due = 0;

  constructor() {
    const listen = { hostname: "127.0.0.1", port: 0, onListen() {}, signal: this.#stop.signal };
    this.#hub = Deno.serve(listen, (request) => this.#handle(request, false));
    this.#cdn = Deno.serve(listen, (request) => this.#handle(request, true));
  }

  /** The Hub's address, without a slash at its end. */
  get url(): string {
    return `http://127.0.0.1:${this.#hub.addr.port}`;
  }

  /** The address of the host that has large files; Python takes hosts of one name for one, whatever their ports. */
  get cdnUrl(): string {
    return `http://localhost:${this.#cdn.addr.port}`;
  }

  /**
   * Publish a commit.
   *
   * @param name The repository's name.
   * @param files Its files; those of weights are large ones.
   * @param options.branch What is at the commit afterwards.
   * @returns The commit.
   */
  publish(
    name: string,
    files: Readonly<Record<string, Content | string>>,
    options: { branch?: string; access?: StoredRepository["access"] } = {},
  ): string {
    const { branch = "main", access = "public" } = options;
    const repository = this.#repositories.get(name) ?? { commits: new Map(), refs: new Map(), access };
    const stored = new Map(Object.entries(files).map(([file, content]) => [file, this.#store(file, content)]));
    const listing = [...stored].map(([file, { etag }]) => `${file} ${etag}`).join("\n");
    const commit = createHash("sha1").update(`${name} ${repository.commits.size}\n${listing}`).digest("hex");
    repository.commits.set(commit, stored);
    repository.refs.set(branch, commit);
    this.#repositories.set(name, repository);
    return commit;
  }

  /** Publish the files of a folder. */
  async publishFolder(name: string, folder: string): Promise<string> {
    const files: Record<string, Uint8Array> = {};
    for await (const { name, isFile } of Deno.readDir(folder)) {
      if (isFile) files[name] = await Deno.readFile(`${folder}/${name}`);
    }
    return this.publish(name, files);
  }

  /** Let a name lead to another. */
  rename(from: string, to: string): void {
    this.#renamed.set(from, to);
  }

  #store(file: string, given: Content | string): StoredFile {
    const content = typeof given === "string" ? new TextEncoder().encode(given) : given;
    const size = content instanceof Uint8Array ? content.length : content.size;
    const isLarge = large.test(file);
    const hash = isLarge ? createHash("sha256") : createHash("sha1").update(`blob ${size}\0`);
    for (let at = 0; at < size; at += 1 << 20) hash.update(part(content, at, Math.min(1 << 20, size - at)));
    const etag = hash.digest("hex");
    if (isLarge) this.#blobs.set(etag, content);
    return { content, size, etag, ...(isLarge && { sha256: etag }) };
  }

  async #handle(request: Request, cdn: boolean): Promise<Response> {
    const { pathname, searchParams: query } = new URL(request.url);
    const header = (name: string) => request.headers.get(name);
    const { method } = request;
    const range = header("range"), authorization = header("authorization");
    const seen: SeenRequest = { cdn, method, path: decodeURIComponent(pathname), query, range, authorization, sent: 0 };
    this.requests.push(seen);
    const own = await this.fault?.(seen, request);
    if (!request.bodyUsed) await request.body?.cancel();
    return own ?? (cdn ? this.#sendBlob(seen) : this.#answer(seen));
  }

  #answer(seen: SeenRequest): Response {
    const [, name, kind, rest] = /^\/(?:api\/models\/)?([\w.-]+(?:\/[\w.-]+?)?)(?:\/(resolve|tree|revision)\/(.+))?$/
      .exec(seen.path) ?? [];
    const cached = /^\/api\/resolve-cache\/models\/([\w.-]+\/[\w.-]+)\/([0-9a-f]{40})\/(.+)$/.exec(seen.path);
    if (cached) {
      const [, name, commit, file] = cached;
      return this.#sendSmall(seen, commit, this.#repositories.get(name)!.commits.get(commit)!.get(file)!);
    }
    const to = name && this.#renamed.get(name);
    if (to) return redirect(307, seen.path.replace(name, to));
    const repository = this.#repositories.get(name);
    const token = seen.authorization?.replace(/^Bearer /, "");
    const known = token !== undefined && this.tokens.valid.has(token);
    if (token !== undefined && !known) return refuse(401, undefined, "Invalid credentials in Authorization header");
    if (!repository || (repository.access === "private" && !known)) {
      return refuse(known ? 404 : 401, "RepoNotFound", "Repository not found");
    }
    if (repository.access === "gated" && kind === "resolve" && !this.tokens.accepted.has(token ?? "")) {
      return refuse(known ? 403 : 401, "GatedRepo", `Access to model ${name} is restricted`);
    }
    return kind === "resolve" ? this.#resolve(name, repository, rest) : this.#list(name, repository, kind, rest);
  }

  #list(name: string, repository: StoredRepository, kind: string | undefined, rest = "main"): Response {
    const commit = repository.refs.get(rest) ?? rest;
    const files = repository.commits.get(commit);
    if (!files) return refuse(404, "RevisionNotFound", `Invalid rev id: ${rest}`);
    const entries = [...files].map(([path, { size, etag, sha256 }]) => ({
      ...{ type: "file", oid: sha256 ? etag.slice(0, 40) : etag, size, path },
      ...(sha256 && { lfs: { oid: sha256, size, pointerSize: 134 } }),
    }));
    if (kind === "tree") return Response.json(entries);
    const siblings = entries.map(({ path }) => ({ rfilename: path }));
    const whole = { private: false, disabled: false, gated: false, downloads: 0, likes: 0, tags: [] };
    return Response.json({ _id: "1", id: name, modelId: name, sha: commit, siblings, ...whole });
  }

  #resolve(name: string, repository: StoredRepository, rest: string): Response {
    const revision = [...repository.refs.keys(), ...repository.commits.keys()].find((it) => rest.startsWith(`${it}/`));
    if (!revision) return refuse(404, "RevisionNotFound", `Invalid rev id: ${rest.split("/")[0]}`);
    const commit = repository.refs.get(revision) ?? revision;
    const file = rest.slice(revision.length + 1);
    const stored = repository.commits.get(commit)!.get(file);
    const headers = { "x-repo-commit": commit, "accept-ranges": "bytes" };
    if (!stored) return refuse(404, "EntryNotFound", "Entry not found", headers);
    const { etag, size, sha256 } = stored;
    const linked = { ...headers, "x-linked-etag": `"${etag}"`, "x-linked-size": String(size) };
    if (sha256) return redirect(302, `${this.cdnUrl}/${name}/${sha256}?X-Amz-Signature=secret`, linked);
    return redirect(
      307,
      `/api/resolve-cache/models/${name}/${commit}/${encodeURIComponent(file)}?etag=${etag}`,
      linked,
    );
  }

  #sendSmall(seen: SeenRequest, commit: string, { content, etag, size }: StoredFile): Response {
    const headers = { etag: `"${etag}"`, "x-repo-commit": commit, "content-length": String(size) };
    return this.#send(seen, content, 0, size, 200, headers);
  }

  #sendBlob(seen: SeenRequest): Response {
    // Amazon's storage refuses requests that are signed twice.
    if (seen.authorization) return new Response("Only one auth mechanism allowed", { status: 400 });
    const content = this.#blobs.get(seen.path.split("/").at(-1)!);
    if (!content) return new Response("no such key", { status: 404 });
    const size = content instanceof Uint8Array ? content.length : content.size;
    const [, first, last] = (this.ranges && /^bytes=(\d+)-(\d*)$/.exec(seen.range ?? "")) || [];
    if (first === undefined) return this.#send(seen, content, 0, size, 200, { "content-length": String(size) });
    const from = Number(first), to = Math.min(size - 1, last ? Number(last) : Infinity);
    if (from >= size) return new Response(null, { status: 416, headers: { "content-range": `bytes */${size}` } });
    const headers = { "content-range": `bytes ${from}-${to}/${size}`, "content-length": String(to - from + 1) };
    return this.#send(seen, content, from, to + 1, 206, headers);
  }

  #send(
    seen: SeenRequest,
    content: Content,
    from: number,
    end: number,
    status: number,
    headers: Record<string, string>,
  ): Response {
    if (seen.method === "HEAD") return new Response(null, { status, headers });
    let at = from;
    const body = new ReadableStream<Uint8Array>({
      pull: async (controller) => {
        // An end before the announced length: the server closes the connection.
        const length = Math.min(1 << 17, end - at, this.breakAfter - (at - from));
        if (length <= 0) return controller.close();
        await this.#pace(length);
        controller.enqueue(part(content, at, length));
        seen.sent += length;
        at += length;
      },
    }, { highWaterMark: 0 });
    return new Response(body, { status, headers });
  }

  async #pace(bytes: number): Promise<void> {
    if (this.rate === Infinity) return;
    const now = performance.now();
    this.#due = Math.max(now - 20, this.#due) + (bytes / this.rate) * 1000;
    if (this.#due > now + 5) await new Promise((resolve) => setTimeout(resolve, this.#due - now));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await Promise.all([this.#hub.finished, this.#cdn.finished]);
  }
}

function part(content: Content, offset: number, length: number): Uint8Array<ArrayBuffer> {
  return (content instanceof Uint8Array
    ? content.subarray(offset, offset + length)
    : content.read(offset, length)) as Uint8Array<ArrayBuffer>;
}

function redirect(status: number, location: string, headers: Record<string, string> = {}): Response {
  return new Response("Redirecting", { status, headers: { ...headers, location } });
}

function refuse(
  status: number,
  code: string | undefined,
  message: string,
  headers: Record<string, string> = {},
): Response {
  const all = { ...headers, ...(code && { "x-error-code": code }), "x-error-message": message };
  return Response.json({ error: message }, { status, headers: all });
}
