// A handler in Deno Deploy's style that reads the pictures posted to it, in 512 MB. Where FFI is not allowed, ONNX Runtime runs in
// WebAssembly; with --allow-ffi, which Deno Deploy has, it is libonnxruntime, some times faster:
//   deno serve --allow-net --allow-read examples/edge.ts
//   curl --data-binary @assets/examples/line.png localhost:8000
//   curl --no-buffer --header "accept: text/event-stream" --data-binary @assets/examples/line.png localhost:8000
import { Captioner, FormatError } from "@limner/limner";

/** What one request may ask for, how long its picture and its text may each take, and how many may wait. */
const limits = { bytes: 10_000_000, pixels: 20_000_000, milliseconds: 30_000, waiting: 4 };

const { state } = await Deno.permissions.query({ name: "ffi" });
// The model begins to load with the isolate, and the first request waits for it.
const loading = Captioner.load(undefined, {
  backend: state === "granted" ? "ffi" : "wasm",
  maxPixels: limits.pixels,
});
loading.catch(() => {});

/** Requests that are being read or wait for it, and how long the last one took in ms. */
const work = { waiting: 0, milliseconds: 1000 };

/** A refusal that the client gets as it is. */
class Refusal extends Error {
  constructor(readonly status: number, message: string, readonly headers: Record<string, string> = {}) {
    super(message);
  }
}

/** The body, of which no more is taken than is allowed, and which is not waited for without end. */
async function bodyOf({ body }: Request): Promise<Uint8Array<ArrayBuffer>> {
  const parts: Uint8Array<ArrayBuffer>[] = [];
  let size = 0;
  const signal = AbortSignal.timeout(limits.milliseconds);
  try {
    for await (const part of body?.pipeThrough(new TransformStream(), { signal }) ?? []) {
      size += part.length;
      if (size > limits.bytes) throw new Refusal(413, `A picture may have ${limits.bytes} bytes.`);
      parts.push(part);
    }
  } catch (error) {
    if (error instanceof Refusal) throw error;
    if (signal.aborted) throw new Refusal(408, `The picture did not arrive within ${limits.milliseconds} ms.`);
    throw new Refusal(400, "The picture did not arrive whole.");
  }
  if (size === 0) throw new Refusal(400, "Post a picture.");
  return new Uint8Array(await new Blob(parts).arrayBuffer());
}

/** What a request gets for an error: its own fault with the reason, ours without. */
function refusalOf(error: unknown): Refusal {
  if (error instanceof Refusal) return error;
  if (error instanceof DOMException && error.name === "TimeoutError") {
    return new Refusal(504, `The picture was not read within ${limits.milliseconds} ms.`);
  }
  if (error instanceof FormatError) return new Refusal(400, error.message);
  console.error(error);
  return new Refusal(500, "The picture could not be read.");
}

/** Events with the text's pieces as they are decided, and last the whole text. */
async function* eventsOf(picture: Uint8Array<ArrayBuffer>, signal: AbortSignal): AsyncGenerator<string, void> {
  const event = (name: string, data: object) => `event: ${name}\ndata: ${JSON.stringify(data)}\n\n`;
  const captioner = await loading;
  try {
    const pieces = captioner.stream(picture, { signal });
    for (;;) {
      const { done, value } = await pieces.next();
      yield done ? event("done", { text: value.text, truncated: value.truncated }) : event("text", { text: value });
      if (done) return;
    }
  } catch (error) {
    const { status, message } = refusalOf(error);
    yield event("error", { status, message });
  }
}

/** Take a place among those who wait. @returns What gives it back. */
function takePlace(): () => void {
  if (work.waiting >= limits.waiting) {
    const seconds = Math.ceil(work.waiting * work.milliseconds / 1000);
    throw new Refusal(429, "Too many pictures are waiting.", { "retry-after": `${seconds}` });
  }
  work.waiting++;
  const began = performance.now();
  let given = false;
  return () => {
    if (given) return;
    given = true;
    work.milliseconds = (performance.now() - began) / work.waiting--;
  };
}

/** An answer of events, which ends the reading where the client goes away, or does not read them in time. */
function streamed(picture: Uint8Array<ArrayBuffer>, leave: () => void): Response {
  const gone = new AbortController();
  const signal = AbortSignal.any([gone.signal, AbortSignal.timeout(limits.milliseconds)]);
  const end = () => {
    signal.removeEventListener("abort", end); // a signal's timer that is listened to keeps a server from ending
    leave();
  };
  signal.addEventListener("abort", end);
  const events = eventsOf(picture, signal);
  const body = new ReadableStream<string>({
    async pull(controller) {
      const { done, value } = await events.next();
      if (!done) return controller.enqueue(value);
      end();
      controller.close();
    },
    cancel() {
      gone.abort();
    },
  });
  const headers = { "content-type": "text/event-stream", "cache-control": "no-store" };
  return new Response(body.pipeThrough(new TextEncoderStream()), { headers });
}

async function answer(request: Request): Promise<Response> {
  if (request.method !== "POST") throw new Refusal(405, "Post a picture.", { allow: "POST" });
  const leave = takePlace();
  let stays = false;
  try {
    const picture = await bodyOf(request);
    if (request.headers.get("accept")?.includes("text/event-stream")) {
      stays = true;
      return streamed(picture, leave);
    }
    const captioner = await loading;
    const signal = AbortSignal.timeout(limits.milliseconds);
    const [{ text, confidence, truncated }] = await captioner.captions(picture, { signal });
    return Response.json({ text, confidence, truncated });
  } finally {
    if (!stays) leave();
  }
}

export default {
  async fetch(request: Request): Promise<Response> {
    try {
      return await answer(request);
    } catch (error) {
      const { status, message, headers } = refusalOf(error);
      return Response.json({ error: { message } }, { status, headers });
    }
  },
} satisfies Deno.ServeDefaultExport;
