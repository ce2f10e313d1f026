// The cause of an error that an answer's status gave, for those who decide whether to ask again.

/** A server's answer that is neither the file nor a reason why there is none. */
export class StatusError extends Error {
  readonly status: number;
  readonly headers: Headers;

  constructor({ status, headers }: { status: number; headers: Headers }) {
    super(`status ${status}`);
    this.status = status;
    this.headers = headers;
  }
}
