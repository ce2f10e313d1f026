// Answers that come as they are decided: server-sent events (the HTML standard's text/event-stream).
import { httpErrorOf } from "../http_error.ts";
import { errorObject } from "./json_answer.ts";

/** An event: its data, and its name if it has one. */
export interface ServedEvent {
  readonly name?: string;
  /** A text as it is, or an object as JSON. */
  readonly data: unknown;
}

/** An answer of events. */
export interface EventAnswer {
  readonly answer: Response;
  /** Settles with its last event. */
  readonly ended: Promise<void>;
}

/** Writes events. */
export type WriteEvent = (event: ServedEvent) => void;

/** An event as it is sent. */
function encoded({ name, data }: ServedEvent): Uint8Array {
  const text = typeof data === "string" ? data : JSON.stringify(data);
  return new TextEncoder().encode(`${name ? `event: ${name}\n` : ""}data: ${text}\n\n`);
}

/**
 * Answer with events.
 *
 * The answer begins with the first event, so that what fails before it has a status of its own; what fails after it is an
 * event named `error`.
 *
 * @param write Writes the events; the stream ends with its promise.
 * @param stop Is called when nobody reads any more.
 * @throws Whatever `write` does before its first event.
 */
export async function eventStream(
  write: (event: WriteEvent) => Promise<void>,
  stop: () => void,
): Promise<EventAnswer> {
  const begun = Promise.withResolvers<void>();
  let controller!: ReadableStreamDefaultController<Uint8Array>;
  let open = true, hasBegun = false;
  const body = new ReadableStream<Uint8Array>({
    start: (given) => void (controller = given),
    cancel: () => {
      open = false;
      stop();
    },
  });
  const put: WriteEvent = (event) => {
    if (open) controller.enqueue(encoded(event));
    hasBegun = true;
    begun.resolve();
  };
  const ended = write(put).then(() => begun.resolve(), (error) => {
    if (!hasBegun) return begun.reject(error);
    put({ name: "error", data: errorObject(httpErrorOf(error)) });
  }).finally(() => {
    if (open) controller.close();
    open = false;
  });
  await begun.promise;
  const headers = { "content-type": "text/event-stream", "cache-control": "no-store" };
  return { answer: new Response(body, { headers }), ended };
}
