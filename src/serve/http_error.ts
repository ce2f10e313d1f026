// What a request is refused with: a status, a code for programs and a message for people. Errors of the library become one
// here; of an error that is nobody's fault but the server's own nothing is told but that it happened.
import { BackendError, FormatError, HubError, LimnerError } from "../errors/mod.ts";

/** A request that is not answered as asked. */
export class HttpError extends LimnerError {
  /**
   * Refuse a request.
   *
   * @param status The HTTP status, from 400 on.
   * @param code Why, in a word for programs.
   * @param message Why, for people.
   * @param headers Headers of the answer, such as `retry-after`.
   */
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
    readonly headers: Readonly<Record<string, string>> = {},
  ) {
    super(message);
  }
}

/** The status of a request whose client has gone, which nobody reads: nginx's. */
export const clientGone = 499;

/** What a request fails with for whatever was thrown. */
export function httpErrorOf(error: unknown): HttpError {
  if (error instanceof HttpError) return error;
  if (error instanceof DOMException && error.name === "AbortError") {
    return new HttpError(clientGone, "client_gone", "The client has gone");
  }
  if (error instanceof HubError) {
    return error.code === "not-allowed"
      ? new HttpError(403, "address_not_allowed", error.message)
      : new HttpError(400, "unreachable_image", error.message);
  }
  if (error instanceof FormatError) return new HttpError(400, "invalid_image", error.message);
  if (error instanceof BackendError) return new HttpError(503, "device_failed", "The model's device failed");
  if (error instanceof LimnerError && error.constructor !== LimnerError) {
    return new HttpError(400, "invalid_option", error.message);
  }
  return new HttpError(500, "internal", "The server failed");
}
