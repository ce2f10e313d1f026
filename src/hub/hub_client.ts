// What the Hub reports of a file: the commit, the etag, the size and the address of its bytes. The token goes to the Hub's
// own host only, and only that host's answers are trusted for these; the bytes may come from another host.
import { HubError } from "../errors/mod.ts";
import { isPrivateHost, type Network, systemNetwork } from "./network/private_addresses.ts";
import { isCommit } from "./hub_name.ts";
import { isRecord, parseJson } from "./read_json.ts";
import { collectPieces, joinPieces } from "./network/response_body.ts";
import { mostRedirects, redirectOf, requestFollowing, tooManyRedirects } from "./network/redirects.ts";
import { type Answer, request, type RequestOptions } from "./network/request.ts";
import { withoutSecrets } from "./network/without_secrets.ts";
import { StatusError } from "./network/status_error.ts";
import { hubErrorOf } from "./hub_error.ts";
import type { Timeouts } from "./network/timeouts.ts";

/** The Hub's address, the user's token, and how requests are made. */
export interface HubClientOptions {
  /** The Hub's address. */
  readonly endpoint: string;
  readonly token?: string;
  readonly signal?: AbortSignal;
  readonly timeouts?: Timeouts;
  /** How names are resolved. @default the system's resolver */
  readonly network?: Network;
}

/** What is known of a file on the Hub. */
export interface RemoteFile {
  readonly commit: string;
  /** The name of its blob: SHA-256 of a large file's content, git's SHA-1 of a small one's. */
  readonly etag: string;
  /** The number of bytes, if the Hub reported it. */
  readonly size: number | undefined;
  /** The answer that has its bytes, if the Hub's own host sends them. */
  readonly answer?: Answer;
}

/** What a request uses in place of the client's own. */
export interface Connections {
  readonly http?: Deno.HttpClient;
  readonly signal?: AbortSignal;
}

/** The most bytes of a list of files. */
const maxListBytes = 16 << 20;

/** Asks a Hub for files. */
export class HubClient {
  readonly #endpoint: URL;
  readonly #network: Network;
  #isPrivate: Promise<boolean> | undefined;
  /** The addresses that the Hub has redirected to, by the file's address on the Hub. */
  readonly #locations = new Map<string, URL>();

  constructor(private readonly options: HubClientOptions) {
    const url = URL.parse(options.endpoint);
    if (!url || !/^https?:$/.test(url.protocol)) {
      throw new HubError(`Cannot use ${options.endpoint} as the Hub's address: expected one of http or https`);
    }
    this.#endpoint = url;
    this.#network = options.network ?? systemNetwork;
  }

  /** The page of a repository, for a person to open. */
  pageOf(name: string): string {
    return `${this.#base}/${name}`;
  }

  get #base(): string {
    return `${this.#endpoint.origin}${this.#endpoint.pathname.replace(/\/$/, "")}`;
  }

  /** The address of a file. */
  addressOf(name: string, revision: string, file: string): URL {
    const path = file.split("/").map(encodeURIComponent).join("/");
    return new URL(`${this.pageOf(name)}/resolve/${encodeURIComponent(revision)}/${path}`);
  }

  /**
   * Look a file up. The answer that has its bytes is the caller's to read or dispose of.
   *
   * @returns The file; or the commit alone if that has no such file; or neither if the Hub does not report the commit.
   * @throws {HubError} If there is no such repository or revision, the user has no access, or the Hub cannot be reached.
   */
  async find(name: string, revision: string, file: string): Promise<RemoteFile | { readonly commit?: string }> {
    const url = this.addressOf(name, revision, file);
    const fields = new Headers();
    const open = await this.#follow(url, (answer) => {
      for (const header of ["x-repo-commit", "x-linked-etag", "x-linked-size"]) {
        const value = answer.headers.get(header);
        if (value !== null) fields.set(header, value);
      }
    });
    const { answer, elsewhere } = open;
    try {
      const commit = fields.get("x-repo-commit") ?? undefined;
      if (commit !== undefined && (!isCommit(commit) || (isCommit(revision) && commit !== revision))) {
        throw malformed(
          url,
          `its X-Repo-Commit is ${JSON.stringify(commit.slice(0, 80))}, expected a commit, the one asked for`,
        );
      }
      if (!elsewhere && answer.status !== 200) {
        const refusal = hubErrorOf(answer, { name, revision, page: this.pageOf(name), token: this.options.token });
        if (refusal) throw refusal;
        answer[Symbol.dispose]();
        return { commit };
      }
      if (!commit) throw notTheHub(url, "X-Repo-Commit");
      const etag = etagOf(fields.get("x-linked-etag") ?? (elsewhere ? null : answer.headers.get("etag")), url);
      const length = fields.get("x-linked-size") ?? (elsewhere ? null : answer.headers.get("content-length"));
      const size = length === null || !Number.isSafeInteger(Number(length)) ? undefined : Number(length);
      if (!elsewhere) return { commit, etag, size, answer };
      if (size === undefined) throw notTheHub(url, "X-Linked-Size");
      this.#locations.set(url.href, elsewhere);
      answer[Symbol.dispose]();
      return { commit, etag, size };
    } catch (error) {
      answer[Symbol.dispose]();
      throw error;
    }
  }

  /**
   * List a repository's files.
   *
   * @param commit The commit that they are of.
   * @returns Their names, with `/` between folders.
   * @throws {HubError} If the Hub does not list them.
   */
  async list(name: string, commit: string): Promise<string[]> {
    const url = new URL(`${this.#base}/api/models/${name}/revision/${commit}`);
    const { answer, elsewhere } = await this.#follow(url, () => {});
    using _ = answer;
    if (elsewhere || answer.status !== 200) throw answer.fail(`the server answered ${answer.status}`);
    const tooLong = () => malformed(url, `it has more than ${maxListBytes} bytes`);
    const text = new TextDecoder().decode(joinPieces(await collectPieces(answer.body, maxListBytes, tooLong)));
    const reply = parseJson(text, withoutSecrets(url));
    const siblings: unknown = isRecord(reply) ? reply.siblings : undefined;
    const files = Array.isArray(siblings) ? siblings.map((file: unknown) => isRecord(file) && file.rfilename) : [];
    return files.filter((file) => typeof file === "string");
  }

  /**
   * Open a part of a file, following the Hub's redirect.
   *
   * @param range The first byte and the last.
   * @param by.http Makes the connections.
   * @param by.signal Ends the request, in place of the client's own.
   * @returns The answer: of status 206 with the part, or of 200 with the whole file.
   * @throws {HubError} If neither comes.
   */
  async openRange(url: URL, range: readonly [number, number], by: Connections = {}): Promise<Answer> {
    const headers = { range: `bytes=${range[0]}-${range[1]}` };
    const known = this.#locations.get(url.href);
    const { answer, elsewhere } = known
      ? { answer: undefined, elsewhere: known }
      : await this.#follow(url, () => {}, headers, by);
    const last = elsewhere ? await this.#openElsewhere(elsewhere, headers, by) : answer!;
    if (elsewhere) answer?.[Symbol.dispose]();
    if (last.status === 206 || last.status === 200) {
      if (elsewhere) this.#locations.set(url.href, elsewhere);
      return last;
    }
    last[Symbol.dispose]();
    // A signed address expires after some time, so the Hub is asked for another.
    if (this.#locations.delete(url.href) && last.status < 500) return await this.openRange(url, range, by);
    throw last.fail(`the server answered ${last.status}`, new StatusError(last));
  }

  /** Request the address that the Hub redirects to: without the token, and in a private network only if the Hub is in one. */
  async #openElsewhere(url: URL, headers: Readonly<Record<string, string>>, by: Connections): Promise<Answer> {
    const publicOnly = !await (this.#isPrivate ??= isPrivateHost(this.#endpoint, this.#network));
    return await requestFollowing(url, { ...this.#request(headers, by), publicOnly });
  }

  /** Follow redirects as long as they stay on the Hub's host, to which alone the token goes. */
  async #follow(
    url: URL,
    onAnswer: (answer: Answer) => void,
    headers: Readonly<Record<string, string>> = {},
    by: Connections = {},
  ): Promise<{ answer: Answer; elsewhere?: URL }> {
    const { token } = this.options;
    let target = url;
    for (let hop = 0; hop <= mostRedirects; hop++) {
      const authorization = token && { authorization: `Bearer ${token}` };
      const answer = await request(target, this.#request({ ...headers, ...authorization }, by));
      onAnswer(answer);
      const next = takeRedirect(answer);
      if (!next) {
        if (answer.status === 429 || answer.status >= 500) {
          answer[Symbol.dispose]();
          throw answer.fail(`the server answered ${answer.status}`, new StatusError(answer));
        }
        return { answer };
      }
      if (next.origin !== this.#endpoint.origin) return { answer, elsewhere: next };
      answer[Symbol.dispose]();
      target = next;
    }
    throw tooManyRedirects(url);
  }

  #request(headers: Readonly<Record<string, string>>, { http, signal }: Connections): RequestOptions {
    const { timeouts } = this.options;
    // A compressed body has another length and another hash than the file.
    const all = { "accept-encoding": "identity", "user-agent": "limner", ...headers };
    return { headers: all, signal: signal ?? this.options.signal, timeouts, network: this.#network, client: http };
  }
}

function takeRedirect(answer: Answer): URL | undefined {
  try {
    return redirectOf(answer);
  } catch (error) {
    answer[Symbol.dispose]();
    throw error;
  }
}

/** An etag as the name of a blob. */
function etagOf(header: string | null, url: URL): string {
  const etag = (header ?? "").replace(/^W\//, "").replace(/^"(.*)"$/, "$1");
  if (etag === "") throw notTheHub(url, "ETag");
  if (/^[\w-][\w.-]{0,127}$/.test(etag)) return etag;
  throw malformed(url, `its ETag is ${JSON.stringify(etag.slice(0, 80))}, which names no file`);
}

function malformed(url: URL, what: string): HubError {
  return new HubError(`Cannot fetch ${withoutSecrets(url)}: ${what}`, { code: "damaged" });
}

function notTheHub(url: URL, header: string): HubError {
  return new HubError(
    `Cannot fetch ${withoutSecrets(url)}: the answer has no ${header}, which Hugging Face's Hub sends; ` +
      `something else may have answered, such as a login page`,
    { code: "network" },
  );
}
