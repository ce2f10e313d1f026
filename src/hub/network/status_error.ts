// The cause of an error about an answer's status, by which a retry is decided.

/** The status and headers of an answer that is neither the file nor a report that it does not exist. */
export class StatusError extends Error {
  readonly status: number;
  readonly headers: Headers;

  constructor({ status, headers }: { status: number; headers: Headers }) {
    super(`status ${status}`);
    this.status = status;
    this.headers = headers;
  }
}
