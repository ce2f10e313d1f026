// One HTTP request and its answer, with time limits; redirects are left to the caller. A request that is restricted to public
// addresses connects to the very address that was checked.
import { HubError } from "../../errors/mod.ts";
import type { Network } from "./private_addresses.ts";
import { environmentVariable, proxyOf } from "../environment.ts";
import { type Timeouts, Transfer } from "./timeouts.ts";
import { withoutSecrets } from "./without_secrets.ts";

/** How a request is made. */
export interface RequestOptions {
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
  readonly timeouts?: Timeouts;
  /** Whether private addresses are refused. @default false */
  readonly publicOnly?: boolean;
  /** How names are resolved, where private addresses are refused. */
  readonly network?: Network;
  /** Makes the connections, unless the request is restricted to public addresses. */
  readonly client?: Deno.HttpClient;
}

/** An HTTP response. Its owner reads the body to the end or disposes of it. */
export interface Answer extends Disposable {
  readonly status: number;
  readonly headers: Headers;
  readonly url: URL;
  /** The body's chunks, each valid until the next is requested. */
  readonly body: AsyncIterable<Uint8Array>;
  /** An error about this answer, which names the address and how many bytes of the body had arrived. */
  fail(reason: string, cause?: unknown): HubError;
}

/**
 * Request a file by GET.
 *
 * @param url An http or https address.
 * @returns The answer, whatever its status, also a redirect.
 * @throws {HubError} If no answer comes: its code is "network", or "not-allowed" where the address is private.
 */
export async function request(url: URL, options: RequestOptions = {}): Promise<Answer> {
  const transfer = new Transfer(options.timeouts, options.signal);
  const fail = (reason: string, cause?: unknown) => {
    const when = transfer.bytes === 0 ? "" : `after ${transfer.bytes} bytes, `;
    return new HubError(`Cannot fetch ${withoutSecrets(url)}: ${when}${reason}`, { cause, code: "network" });
  };
  const explain = (error: unknown) => {
    transfer[Symbol.dispose]();
    return options.signal?.aborted || error instanceof HubError ? error : fail(reasonOf(error), error);
  };
  try {
    const open = options.publicOnly && !proxyOf(url) ? openPublicAddress : openByFetch;
    const { status, headers, chunks, cancel } = await open(url, options, transfer.signal);
    transfer.answered();
    const body = countBytes(chunks, transfer, explain);
    const dispose = () => (transfer[Symbol.dispose](), cancel());
    return { status, headers, url, body, fail, [Symbol.dispose]: dispose };
  } catch (error) {
    throw explain(error);
  }
}

/** An answer as either way of requesting returns it. */
interface RawAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly chunks: AsyncIterable<Uint8Array>;
  readonly cancel: () => void;
}

async function openByFetch(url: URL, options: RequestOptions, signal: AbortSignal): Promise<RawAnswer> {
  // A proxy resolves names itself, so only an address that is written out can be checked here.
  if (options.publicOnly) {
    const { publicAddresses, systemNetwork } = await import("./private_addresses.ts");
    await publicAddresses(url, { ...(options.network ?? systemNetwork), resolve: literalAddress });
  }
  const stop = new AbortController();
  const response = await fetch(url, {
    headers: options.headers,
    redirect: "manual",
    signal: AbortSignal.any([signal, stop.signal]),
    ...(options.client && { client: options.client }),
  });
  const { status, headers, body } = response;
  return { status, headers, chunks: body ? readInto(body) : empty(), cancel: () => stop.abort() };
}

/** Read a stream through one buffer; by default each chunk has a new one of 64 KiB, however few bytes it has. */
async function* readInto(body: ReadableStream<Uint8Array>): AsyncGenerator<Uint8Array> {
  const reader = body.getReader({ mode: "byob" });
  try {
    for (let buffer = new ArrayBuffer(bufferBytes);;) {
      const { done, value } = await reader.read(new Uint8Array(buffer));
      if (done) return;
      yield value;
      buffer = value.buffer;
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}

const bufferBytes = 1 << 18;

async function openPublicAddress(url: URL, options: RequestOptions, signal: AbortSignal): Promise<RawAnswer> {
  // Imported when needed, as are the modules of Node's below: they take as long to start as a folder's model to be read.
  const { publicAddresses } = await import("./private_addresses.ts");
  const addresses = await publicAddresses(url, options.network);
  const secure = url.protocol === "https:";
  const { request } = secure ? await import("node:https") : await import("node:http");
  const ca = secure ? await certificateAuthorities() : undefined;
  const { promise, resolve, reject } = Promise.withResolvers<RawAnswer>();
  const asked = request(url, {
    headers: options.headers,
    agent: false,
    ...(ca && { ca }),
    // Node calls this in place of a resolver; it returns the addresses that were checked.
    lookup: (_host, { all }, found) =>
      all ? found(null, [...addresses]) : found(null, addresses[0].address, addresses[0].family),
  }, (response) => {
    const headers = new Headers();
    for (const [name, value] of Object.entries(response.headers)) headers.set(name, [value].flat().join(", "));
    const cancel = () => void response.destroy();
    resolve({ status: response.statusCode!, headers, chunks: response, cancel });
  });
  const stop = () => void asked.destroy(signal.reason);
  signal.addEventListener("abort", stop);
  asked.on("close", () => signal.removeEventListener("abort", stop));
  asked.on("error", (error) => reject(signal.aborted ? signal.reason : error));
  if (signal.aborted) stop();
  asked.end();
  return await promise;
}

/** Certificate authorities with those of DENO_CERT, which fetch adds by itself but node:https does not. */
async function certificateAuthorities(): Promise<string[] | undefined> {
  const file = environmentVariable("DENO_CERT");
  if (!file) return undefined;
  const { rootCertificates } = await import("node:tls");
  return [...rootCertificates, await Deno.readTextFile(file)];
}

async function* countBytes(
  chunks: AsyncIterable<Uint8Array>,
  transfer: Transfer,
  explain: (error: unknown) => unknown,
): AsyncGenerator<Uint8Array> {
  try {
    for await (const chunk of chunks) {
      transfer.count(chunk.length);
      yield chunk;
    }
  } catch (error) {
    throw explain(transfer.signal.aborted ? transfer.signal.reason : error);
  } finally {
    transfer[Symbol.dispose]();
  }
}

async function* empty(): AsyncGenerator<Uint8Array> {}

/** Resolves a host that is an address to itself, and a name to nothing. */
function literalAddress(host: string): Promise<{ address: string; family: number }[]> {
  const bare = host.replace(/^\[(.*)\]$/, "$1");
  const family = bare.includes(":") ? 6 : /^[\d.]+$/.test(bare) ? 4 : 0;
  return Promise.resolve(family ? [{ address: bare, family }] : []);
}

/** Why a request failed, with the cause that fetch's error keeps apart. */
function reasonOf(error: unknown): string {
  const { message, cause } = error as Error;
  if (error instanceof Deno.errors.NotCapable) return `it is not permitted: ${message}`;
  return cause instanceof Error && !message.includes(cause.message) ? `${message}: ${cause.message}` : message;
}
