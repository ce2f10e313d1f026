// The bytes of a picture's file, from wherever it is; a source without an end is left before it takes the memory.
import { FormatError, HubError } from "../errors.ts";

/** Where a picture can be read from. */
export type ImageSource = string | URL | Uint8Array | Blob | ReadableStream<Uint8Array>;

/** The most bytes that a picture's file may have: 512 MiB. */
export const maxFileBytes = 2 ** 29;

/** What messages call a source. */
export function nameOfSource(source: ImageSource): string {
  if (source instanceof Uint8Array) return "(bytes)";
  if (source instanceof ReadableStream) return "(stream)";
  if (source instanceof Blob) return (source as File).name ?? "(blob)";
  const name = String(source);
  return name.startsWith("data:") ? "(data URL)" : name;
}

/**
 * Read a picture's file.
 *
 * @param name What messages call it.
 * @throws {HubError} If it cannot be reached.
 * @throws {FormatError} If it has more than 512 MiB.
 */
export async function readSource(source: ImageSource, name: string, signal?: AbortSignal): Promise<Uint8Array> {
  if (source instanceof Uint8Array) return source;
  if (source instanceof ReadableStream) return await collect(source, name, signal);
  if (source instanceof Blob) return await collect(source.stream(), name, signal);
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
  return error instanceof Error ? error.message : String(error);
}

async function download(url: URL, name: string, signal?: AbortSignal): Promise<Uint8Array> {
  let response: Response;
  try {
    response = await fetch(url, { signal });
    if (response.ok && response.body) return await collect(response.body, name);
    await response.body?.cancel();
  } catch (error) {
    if (signal?.aborted || error instanceof FormatError) throw error;
    const { message, cause } = error as Error;
    const why = cause instanceof Error && !message.includes(cause.message) ? `: ${cause.message}` : "";
    throw new HubError(`Could not download picture ${name}: ${message}${why}`, { cause: error });
  }
  throw new HubError(
    `Could not download picture ${name}: the server answered ${response.status}, and 200 was expected`,
  );
}
