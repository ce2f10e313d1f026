// A request's body, as much as is allowed, in the time that is allowed.
import { abortable } from "../../async/abortable.ts";
import { joinPieces, parseJson } from "../../hub/mod.ts";
import { FormatError } from "../../errors/mod.ts";
import { HttpError } from "../http_error.ts";

/** How much of a body is read, and how long. */
export interface BodyLimits {
  /** Bytes. */
  readonly maxBodyBytes: number;
  /** Milliseconds. */
  readonly bodyTimeout: number;
  /** Ends the reading. */
  readonly signal: AbortSignal;
}

/**
 * Read a body.
 *
 * @throws {HttpError} 413 if it is too long, 408 if it comes too slowly, 400 if there is none.
 */
export async function readBody(
  request: Request,
  { maxBodyBytes, bodyTimeout, signal }: BodyLimits,
): Promise<Uint8Array<ArrayBuffer>> {
  const tooLong = () =>
    new HttpError(413, "body_too_large", `The body has more than ${maxBodyBytes} bytes, the most that are read`, {
      connection: "close",
    });
  if (Number(request.headers.get("content-length") ?? 0) > maxBodyBytes) {
    await request.body?.cancel().catch(() => {});
    throw tooLong();
  }
  if (!request.body) throw new HttpError(400, "no_body", "The request has no body, and a picture was expected");
  const reader = request.body.getReader();
  const late = new AbortController();
  const timer = setTimeout(() => {
    const message = `The body was not there after ${bodyTimeout} ms`;
    late.abort(new HttpError(408, "body_timeout", message, { connection: "close" }));
  }, bodyTimeout);
  const ending = AbortSignal.any([signal, late.signal]);
  const pieces: Uint8Array<ArrayBuffer>[] = [];
  let length = 0;
  try {
    for (;;) {
      const { done, value } = await abortable(reader.read(), ending);
      if (done) break;
      if ((length += value.length) > maxBodyBytes) throw tooLong();
      pieces.push(value);
    }
  } catch (error) {
    reader.cancel().catch(() => {});
    if (error instanceof HttpError || ending.aborted) throw error;
    throw new HttpError(400, "broken_body", "The body ended before it was complete");
  } finally {
    clearTimeout(timer);
  }
  if (length === 0) throw new HttpError(400, "no_body", "The request has no body, and a picture was expected");
  return joinPieces(pieces) as Uint8Array<ArrayBuffer>;
}

/** A body's object of JSON. @throws {HttpError} 400 if it is none, or nested too deeply. */
export function jsonOf(body: Uint8Array): Record<string, unknown> {
  const wrong = (why: string) => new HttpError(400, "invalid_json", `The body is no object of JSON: ${why}`);
  let value: unknown;
  try {
    value = parseJson(new TextDecoder("utf-8", { fatal: true }).decode(body), "the body");
  } catch (error) {
    throw wrong(error instanceof FormatError ? error.message : "it is not UTF-8");
  }
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  throw wrong(Array.isArray(value) ? "it is a list" : `it is ${value === null ? "null" : `a ${typeof value}`}`);
}
