// The bytes of a picture's file, from any source. Reading stops at a limit, so that an endless source cannot fill the memory.
import { FormatError, HubError, OptionError } from "../errors/mod.ts";
import { isMangled, notUtf8 } from "../hub/file_path.ts";
import { collectPieces, joinPieces, type Timeouts } from "../hub/mod.ts";
import { sniff } from "./formats/headers/signatures.ts";

/** Where a picture can be read from: a path, an address, base64 or a data URL, and whatever holds a file's bytes. */
export type ImageSource =
  | string
  | URL
  | ArrayBufferLike
  | ArrayBufferView
  | Blob
  | Response
  | ReadableStream<Uint8Array>;

/** How a source is read. */
export interface SourceOptions {
  /**
   * Whether a picture's address may be in a private network, or redirect there: on this machine, in its local network, or at
   * a cloud's internal addresses. Where a proxy makes the connections (HTTPS_PROXY), it resolves the names, and only
   * addresses that are written out can be refused. @default false
   */
  readonly allowPrivateAddresses?: boolean;
  /** Time limits for a picture that is fetched. */
  readonly timeouts?: Timeouts;
  /** Ends the reading of the source; what waits for it is rejected with the signal's reason. */
  readonly signal?: AbortSignal;
}

/** The most bytes that a picture's file may have: 512 MiB. */
export const maxFileBytes = 2 ** 29;

/** A text longer than `longestPath` is data, not a path; a name longer than `longestName` is shortened in messages. */
const longestPath = 4096, longestName = 256;

/** The name of a source in messages, which never contains its data. */
export function nameOfSource(source: ImageSource): string {
  if (isBytes(source)) return "(bytes)";
  // Texts come first: Deno loads the classes of streams and responses when they are named.
  if (typeof source !== "string" && !(source instanceof URL)) {
    if (source instanceof ReadableStream) return "(stream)";
    if (source instanceof Blob) return (source as File).name ?? "(blob)";
    if (source instanceof Response) return source.url ? nameOfSource(source.url) : "(response)";
    return `(${typeOf(source)})`;
  }
  const name = String(source);
  if (/^data:/i.test(name)) return "(data URL)";
  if (typeof source === "string" && base64Start(source)) return "(base64)";
  if (name.length > longestPath) return `(a text of ${name.length} characters)`;
  return name.length > longestName ? `${name.slice(0, 64)}… (${name.length} characters)` : name;
}

/** Whether a source is memory that holds a file's bytes, the caller's own. */
export function isBytes(source: unknown): source is ArrayBufferLike | ArrayBufferView {
  return ArrayBuffer.isView(source) || source instanceof ArrayBuffer ||
    (typeof SharedArrayBuffer !== "undefined" && source instanceof SharedArrayBuffer);
}

/** The type of a value, for messages. */
function typeOf(value: unknown): string {
  if (value === undefined || value === null || typeof value !== "object") {
    return value === undefined || value === null ? String(value) : `a ${typeof value}`;
  }
  const name = (value as { constructor?: { name?: string } }).constructor?.name || "object";
  return Array.isArray(value) ? "a list" : value instanceof Promise ? "a Promise, which is to be awaited" : `a ${name}`;
}

/** The first bytes of a picture in base64; undefined if the text can be a path, or its bytes are not those of a picture. */
function base64Start(text: string): Uint8Array | undefined {
  const beginning = text.slice(0, 64).replace(/\s/g, "");
  const usable = beginning.slice(0, beginning.length - beginning.length % 4);
  if (text.length < 64 || !/^[A-Za-z0-9+/]+$/.test(usable)) return undefined;
  const bytes = Uint8Array.fromBase64(usable);
  return sniff(bytes) ? bytes : undefined;
}

function fromBase64(text: string, name: string): Uint8Array {
  try {
    return Uint8Array.fromBase64(text);
  } catch (error) {
    throw new FormatError(`Cannot read picture ${name}: it is no whole base64 text`, { file: name }, {
      cause: error,
    });
  }
}

/**
 * Read a picture's file.
 *
 * @param name What messages call it.
 * @throws {HubError} If it cannot be reached.
 * @throws {FormatError} If it has more than 512 MiB.
 */
export async function readSource(source: ImageSource, name: string, options: SourceOptions = {}): Promise<Uint8Array> {
  const { signal } = options;
  if (ArrayBuffer.isView(source)) return new Uint8Array(source.buffer, source.byteOffset, source.byteLength);
  if (isBytes(source)) return new Uint8Array(source);
  if (typeof source !== "string" && !(source instanceof URL)) {
    if (source instanceof Response) return await receive(source, name, signal);
    if (source instanceof ReadableStream) return await collect(endedBy(source, signal), name);
    if (source instanceof Blob) return await collect(endedBy(source.stream(), signal), name);
    throw new OptionError(
      `Cannot read ${name.startsWith("(") ? "a picture" : `picture ${name}`}: it is ${
        typeOf(source)
      }, and a path, an address, base64, bytes, a Blob, a Response or ` +
        "a stream was expected",
    );
  }
  if (typeof source === "string" && base64Start(source)) return fromBase64(source, name);
  if (typeof source === "string" && source.length > longestPath && !/^(?:data|blob|https?):/i.test(source)) {
    throw new OptionError(`Cannot read picture ${name}: it is neither a path nor a picture in base64`);
  }
  const url = toUrl(source, name);
  if (url && /^https?:$/.test(url.protocol)) return await download(url, name, options);
  if (url && url.protocol !== "file:") return await readHere(url, name);
  try {
    using file = await Deno.open(url ?? source);
    const { isFile, isDirectory, size } = await file.stat();
    if (isDirectory) throw new HubError(`Cannot read picture ${name}: it is a folder, and a file was expected`);
    if (!isFile) return await collect(endedBy(file.readable, signal), name);
    if (size > maxFileBytes) throw tooLong(name);
    return await readWhole(file, size, signal);
  } catch (error) {
    if (signal?.aborted || error instanceof HubError || error instanceof FormatError) throw error;
    throw new HubError(`Cannot read picture ${name}: ${reason(error, name)}`, { cause: error });
  }
}

/** A stream that ends when the signal is aborted; only a pipe ends the wait for a source that sends nothing. */
function endedBy(stream: ReadableStream<Uint8Array>, signal: AbortSignal | undefined): ReadableStream<Uint8Array> {
  return signal ? stream.pipeThrough(new TransformStream(), { signal }) : stream;
}

function toUrl(source: string | URL, name: string): URL | undefined {
  if (source instanceof URL) return source;
  if (!/^(https?|file|data|blob):/i.test(source)) return undefined;
  if (URL.canParse(source)) return new URL(source);
  throw new HubError(`Cannot read picture ${name}: it is no valid address`);
}

function tooLong(name: string): FormatError {
  const message = `Cannot read picture ${name}: it has more than ${maxFileBytes} bytes, the most that are read`;
  return new FormatError(message, { file: name });
}

/** A regular file's bytes; it may have been truncated since its size was read. */
async function readWhole(file: Deno.FsFile, size: number, signal?: AbortSignal): Promise<Uint8Array> {
  const bytes = new Uint8Array(size);
  let length = 0;
  while (length < size) {
    signal?.throwIfAborted();
    const count = await file.read(bytes.subarray(length));
    if (count === null) break;
    length += count;
  }
  return bytes.subarray(0, length);
}

async function collect(
  stream: AsyncIterable<Uint8Array>,
  name: string,
): Promise<Uint8Array> {
  return joinPieces(await collectPieces(stream, maxFileBytes, () => tooLong(name)));
}

function reason(error: unknown, name: string): string {
  if (error instanceof Deno.errors.NotFound) return isMangled(name) ? notUtf8 : "there is no such file";
  if (error instanceof Deno.errors.IsADirectory) return "it is a folder, and a file was expected";
  if (error instanceof Deno.errors.NotCapable) return "reading it is not permitted, and --allow-read was expected";
  if (error instanceof Deno.errors.PermissionDenied) return "reading it is not permitted";
  // The system's message ends with the path, which may be long.
  return error instanceof Error ? error.message.replace(/: \w+ '.*'$/s, "") : String(error);
}

async function download(url: URL, name: string, options: SourceOptions): Promise<Uint8Array> {
  const { signal, timeouts, allowPrivateAddresses } = options;
  try {
    const { requestFollowing } = await import("../hub/network/redirects.ts");
    using answer = await requestFollowing(url, { signal, timeouts, publicOnly: !allowPrivateAddresses });
    if (answer.status === 200) return await collect(answer.body, name);
    throw answer.fail(`the server answered ${answer.status}, and 200 was expected`);
  } catch (error) {
    if (!(error instanceof HubError)) throw error;
    const more = error.code === "not-allowed" ? " (option allowPrivateAddresses)" : "";
    const where = `${name}: `, what = error.message.replace(/^Cannot fetch /, "");
    const why = what.startsWith(where) ? what.slice(where.length) : what; // an address that redirects is named too
    throw new HubError(`Cannot download picture ${name}: ${why}${more}`, { cause: error, code: error.code });
  }
}

/** The bytes of a `data:` or `blob:` URL, for which no request is made. */
async function readHere(url: URL, name: string): Promise<Uint8Array> {
  try {
    return await receive(await fetch(url), name);
  } catch (error) {
    if (error instanceof FormatError || error instanceof HubError) throw error;
    // The library's message may quote a data URL, which is the data.
    const reason = url.protocol === "data:" ? "it cannot be decoded" : (error as Error).message;
    throw new HubError(`Cannot download picture ${name}: ${reason}`, { cause: error });
  }
}

async function receive(response: Response, name: string, signal?: AbortSignal): Promise<Uint8Array> {
  if (response.bodyUsed) throw new HubError(`Cannot read picture ${name}: the response was read already`);
  if (response.ok && response.body) return await collect(endedBy(response.body, signal), name);
  await response.body?.cancel();
  throw new HubError(
    `Cannot download picture ${name}: the server answered ${response.status}, and 200 was expected`,
  );
}
