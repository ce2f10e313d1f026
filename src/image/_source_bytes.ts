// The bytes of a picture's file, from wherever it is; a source without an end is left before it takes the memory.
import { FormatError, HubError, OptionError } from "../errors.ts";
import { sniff } from "./signatures.ts";

/** Where a picture can be read from: a path, an address, base64 or a data URL, and whatever holds a file's bytes. */
export type ImageSource =
  | string
  | URL
  | ArrayBufferLike
  | ArrayBufferView
  | Blob
  | Response
  | ReadableStream<Uint8Array>;

/** The most bytes that a picture's file may have: 512 MiB. */
export const maxFileBytes = 2 ** 29;

/** A text that is longer than any path is data, and one that is longer than this is cut in messages. */
const longestPath = 4096, longestName = 256;

/** What messages call a source: never its data. */
export function nameOfSource(source: ImageSource): string {
  if (isBytes(source)) return "(bytes)";
  if (source instanceof ReadableStream) return "(stream)";
  if (source instanceof Blob) return (source as File).name ?? "(blob)";
  if (source instanceof Response) return source.url ? nameOfSource(source.url) : "(response)";
  if (typeof source !== "string" && !(source instanceof URL)) return `(${typeOf(source)})`;
  const name = String(source);
  if (/^data:/i.test(name)) return "(data URL)";
  if (typeof source === "string" && base64Start(source)) return "(base64)";
  if (name.length > longestPath) return `(a text of ${name.length} characters)`;
  return name.length > longestName ? `${name.slice(0, 64)}… (${name.length} characters)` : name;
}

/** Whether a source is memory that holds a file's bytes, the caller's own. */
export function isBytes(source: unknown): source is ArrayBufferLike | ArrayBufferView {
  return ArrayBuffer.isView(source) || source instanceof ArrayBuffer || source instanceof SharedArrayBuffer;
}

/** What a value is, in a word or two. */
function typeOf(value: unknown): string {
  if (value === undefined || value === null || typeof value !== "object") {
    return value === undefined || value === null ? String(value) : `a ${typeof value}`;
  }
  const name = (value as { constructor?: { name?: string } }).constructor?.name || "object";
  return Array.isArray(value) ? "a list" : value instanceof Promise ? "a Promise, which is to be awaited" : `a ${name}`;
}

/** The beginning of a picture in base64: the text has no sign of a path's, and the bytes are those of a picture. */
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
    throw new FormatError(`Could not read picture ${name}: it is no whole base64 text`, { file: name }, {
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
export async function readSource(source: ImageSource, name: string, signal?: AbortSignal): Promise<Uint8Array> {
  if (ArrayBuffer.isView(source)) return new Uint8Array(source.buffer, source.byteOffset, source.byteLength);
  if (isBytes(source)) return new Uint8Array(source);
  if (source instanceof Response) return await receive(source, name, signal);
  if (source instanceof ReadableStream) return await collect(source, name, signal);
  if (source instanceof Blob) return await collect(source.stream(), name, signal);
  if (typeof source !== "string" && !(source instanceof URL)) {
    throw new OptionError(
      `Could not read ${name.startsWith("(") ? "a picture" : `picture ${name}`}: it is ${
        typeOf(source)
      }, and a path, an address, base64, bytes, a Blob, a Response or ` +
        "a stream was expected",
    );
  }
  if (typeof source === "string" && base64Start(source)) return fromBase64(source, name);
  if (typeof source === "string" && source.length > longestPath && !/^(?:data|blob|https?):/i.test(source)) {
    throw new OptionError(`Could not read picture ${name}: it is neither a path nor a picture in base64`);
  }
  const url = toUrl(source, name);
  if (url && url.protocol !== "file:") return await download(url, name, signal);
  try {
    using file = await Deno.open(url ?? source);
    const { isFile, isDirectory, size } = await file.stat();
    if (isDirectory) throw new HubError(`Could not read picture ${name}: it is a folder, and a file was expected`);
    if (!isFile) return await collect(file.readable, name, signal);
    checkSize(size, name);
    return await readWhole(file, size, signal);
  } catch (error) {
    if (signal?.aborted || error instanceof HubError || error instanceof FormatError) throw error;
    throw new HubError(`Could not read picture ${name}: ${reason(error)}`, { cause: error });
  }
}

function toUrl(source: string | URL, name: string): URL | undefined {
  if (source instanceof URL) return source;
  if (!/^(https?|file|data|blob):/i.test(source)) return undefined;
  if (URL.canParse(source)) return new URL(source);
  throw new HubError(`Could not read picture ${name}: it is no valid address`);
}

function checkSize(bytes: number, name: string): void {
  if (bytes <= maxFileBytes) return;
  throw new FormatError(
    `Could not read picture ${name}: it has more than ${maxFileBytes} bytes, the most that are read`,
    {
      file: name,
    },
  );
}

/** A regular file's bytes; it may have been cut since its size was told. */
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
  stream: ReadableStream<Uint8Array>,
  name: string,
  signal?: AbortSignal,
): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  // Piped, because only a pipe leaves a source that is silent when the signal comes.
  for await (const chunk of signal ? stream.pipeThrough(new TransformStream(), { signal }) : stream) {
    checkSize(length += chunk.length, name);
    chunks.push(chunk);
  }
  const bytes = new Uint8Array(length);
  for (const chunk of chunks.toReversed()) bytes.set(chunk, length -= chunk.length);
  return bytes;
}

function reason(error: unknown): string {
  if (error instanceof Deno.errors.NotFound) return "there is no such file";
  if (error instanceof Deno.errors.IsADirectory) return "it is a folder, and a file was expected";
  if (error instanceof Deno.errors.NotCapable) return "reading it is not permitted, and --allow-read was expected";
  if (error instanceof Deno.errors.PermissionDenied) return "reading it is not permitted";
  // The system's message ends with the path, which may be long.
  return error instanceof Error ? error.message.replace(/: \w+ '.*'$/s, "") : String(error);
}

async function download(url: URL, name: string, signal?: AbortSignal): Promise<Uint8Array> {
  try {
    return await receive(await fetch(url, { signal }), name);
  } catch (error) {
    if (signal?.aborted || error instanceof FormatError || error instanceof HubError) throw error;
    const { message, cause } = error as Error;
    const why = cause instanceof Error && !message.includes(cause.message) ? `: ${cause.message}` : "";
    // The library's message may quote a data URL, which is the data.
    const reason = url.protocol === "data:" ? "it cannot be decoded" : `${message}${why}`;
    throw new HubError(`Could not download picture ${name}: ${reason}`, { cause: error });
  }
}

async function receive(response: Response, name: string, signal?: AbortSignal): Promise<Uint8Array> {
  if (response.bodyUsed) throw new HubError(`Could not read picture ${name}: the response was read already`);
  if (response.ok && response.body) return await collect(response.body, name, signal);
  await response.body?.cancel();
  throw new HubError(
    `Could not download picture ${name}: the server answered ${response.status}, and 200 was expected`,
  );
}
