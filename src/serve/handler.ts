// A server without its socket: requests in, answers out, for `Deno.serve` and whatever else has the fetch interface.
import type { Captioner } from "../captioner/captioner.ts";
import { corsHeaders, KeyCheck } from "./access.ts";
import { captionObject, captionStream } from "./answers/caption_answer.ts";
import { chatCompletion, chatStream } from "./answers/chat_answer.ts";
import type { EventAnswer } from "./answers/event_stream.ts";
import { errorAnswer, jsonAnswer } from "./answers/json_answer.ts";
import { Captioning, type ServedCaption, type ServedParts } from "./captioning.ts";
import { HttpError, httpErrorOf } from "./http_error.ts";
import { Metrics } from "./metrics.ts";
import { openApi } from "./openapi.ts";
import { captionRequestOf, type PictureRequest } from "./requests/caption_request.ts";
import { chatRequestOf } from "./requests/chat_request.ts";
import { jsonOf, readBody } from "./requests/read_body.ts";
import type { JobScheduler } from "./scheduler/job.ts";
import { Scheduler, type SchedulerOptions } from "./scheduler/scheduler.ts";
import { type HandlerOptions, type ServeSettings, serveSettings } from "./serve_options.ts";
import { ServedRequest } from "./served_request.ts";

/** What is known of a connection, as `Deno.serve` tells it. */
export interface ConnectionInfo {
  /** Where the request comes from: callers without keys of their own are told apart by it. */
  readonly remoteAddr?: { readonly transport: string; readonly hostname?: string };
}

/** Answers requests. */
export interface Handler extends AsyncDisposable {
  /**
   * Answer a request; it never rejects.
   *
   * @param info What is known of its connection.
   */
  fetch(request: Request, info?: ConnectionInfo): Promise<Response>;
  /** Take no more requests (they are answered 503), answer those that are under way, and release the slots. The captioner stays. */
  [Symbol.asyncDispose](): Promise<void>;
}

/** The paths there are, with their method. */
const routes: Readonly<Record<string, string>> = {
  "/caption": "POST",
  "/v1/chat/completions": "POST",
  "/v1/models": "GET",
  "/healthz": "GET",
  "/readyz": "GET",
  "/metrics": "GET",
  "/openapi.json": "GET",
};

/** Paths that need no key: whoever watches over the server has none. */
const open = ["/healthz", "/readyz"];

/** A handler, whichever thread has the model. */
export class CaptionHandler implements Handler {
  readonly #settings: ServeSettings;
  readonly #keys: KeyCheck;
  readonly #metrics = new Metrics();
  readonly #scheduler: JobScheduler;
  readonly #captioning: Captioning;
  readonly #created = Math.floor(Date.now() / 1000);
  readonly #requests = new Set<ServedRequest>();
  #closing: Promise<void> | undefined;

  /** @param parts What there is once the scheduler is made, which takes the options that are its own. */
  constructor(
    settings: ServeSettings,
    schedulerOf: (options: SchedulerOptions) => JobScheduler,
    partsOf: () => ServedParts,
  ) {
    this.#settings = settings;
    const metrics = this.#metrics;
    this.#keys = new KeyCheck(settings.apiKeys);
    const { slots, maxWaiting, encodeParts, debug: margins } = settings;
    this.#scheduler = schedulerOf({ slots, maxWaiting, encodeParts, margins, metrics });
    this.#captioning = new Captioning(partsOf(), this.#scheduler, { maxPixels: settings.maxPixels, metrics });
    metrics.watch("limner_requests_in_flight", () => this.#requests.size);
    this.#scheduler.prepare();
  }

  readonly fetch = async (request: Request, info: ConnectionInfo = {}): Promise<Response> => {
    const served = new ServedRequest(request, this.#settings.requestTimeout);
    let answer: Response;
    try {
      answer = await this.#answer(served, info);
    } catch (error) {
      const failure = httpErrorOf(served.signal.aborted ? served.signal.reason : error);
      served.fail(failure, error);
      answer = errorAnswer(failure);
    }
    for (const [name, value] of Object.entries({ ...corsHeaders(request, this.#settings), ...served.headers })) {
      answer.headers.set(name, value);
    }
    served.answered(answer.status);
    if (served.ended) served.ended.finally(() => this.#leave(served));
    else this.#leave(served);
    return answer;
  };

  /** Note that a request is answered to its end. */
  #leave(served: ServedRequest): void {
    served[Symbol.dispose]();
    this.#requests.delete(served);
    const { route, status, milliseconds } = served;
    this.#metrics.add("limner_requests_total", { route, status: String(status) });
    this.#metrics.observe("limner_request_seconds", { route }, milliseconds);
    this.#settings.onAnswered?.(served.log());
  }

  async #answer(served: ServedRequest, info: ConnectionInfo): Promise<Response> {
    const { request, path } = served;
    if (path === "") {
      throw new HttpError(
        400,
        "invalid_address",
        "The request's address is not valid: expected a Host header that is a host",
      );
    }
    const isModel = path.startsWith("/v1/models/");
    const method = isModel ? "GET" : Object.hasOwn(routes, path) ? routes[path] : undefined;
    if (!method) throw new HttpError(404, "not_found", "There is no such path");
    served.route = isModel ? "/v1/models" : path;
    if (request.method === "OPTIONS" && this.#settings.cors) return new Response(null, { status: 204 });
    if (request.method !== method && !(method === "GET" && request.method === "HEAD")) {
      throw new HttpError(405, "method_not_allowed", `Expected ${method}`, { allow: method });
    }
    const caller = open.includes(path) ? "" : this.#keys.callerOf(request.headers, info.remoteAddr?.hostname);
    return method === "GET" ? this.#tell(path) : await this.#write(served, caller);
  }

  /** What is answered without the model. */
  #tell(path: string): Response {
    const model = { id: this.#settings.modelName, object: "model", created: this.#created, owned_by: "limner" };
    switch (path) {
      case "/healthz":
        return jsonAnswer({ status: "ok" });
      case "/readyz": {
        const ready = !this.#closing && this.#scheduler.ready;
        return jsonAnswer({ status: ready ? "ready" : this.#closing ? "closing" : "not ready" }, ready ? 200 : 503);
      }
      case "/metrics":
        return new Response(this.#metrics.text(), { headers: { "content-type": "text/plain; version=0.0.4" } });
      case "/openapi.json":
        return jsonAnswer(openApi(this.#settings));
      case "/v1/models":
        return jsonAnswer({ object: "list", data: [model] });
    }
    if (path === `/v1/models/${encodeURIComponent(model.id)}`) return jsonAnswer(model);
    throw new HttpError(404, "model_not_found", `There is no such model, only ${JSON.stringify(model.id)}`);
  }

  async #write(served: ServedRequest, caller: string): Promise<Response> {
    if (this.#closing) throw new HttpError(503, "closing", "The server takes no more requests", { "retry-after": "5" });
    const { maxRequests, modelName } = this.#settings;
    if (this.#requests.size >= maxRequests) {
      throw new HttpError(429, "too_many_requests", "Too many requests are under way", { "retry-after": "1" });
    }
    this.#requests.add(served);
    const { request, signal, began, id } = served;
    const access = { ...this.#settings, signal };
    const body = await readBody(request, access);
    if (served.path === "/caption") {
      const asked = await captionRequestOf(request, body, access);
      const caption = this.#caption(served, asked, caller);
      if (/\btext\/event-stream\b/i.test(request.headers.get("accept") ?? "")) {
        return await this.#stream(served, (stop) => captionStream(caption, { began, stop }));
      }
      return jsonAnswer(captionObject(await caption(), performance.now() - began));
    }
    const asked = await chatRequestOf(jsonOf(body), modelName, access);
    const caption = this.#caption(served, asked, caller);
    const subject = { id, model: modelName, created: Math.floor(Date.now() / 1000) };
    if (!asked.stream) return jsonAnswer(chatCompletion(await caption(), subject));
    const { includesUsage } = asked;
    return await this.#stream(served, (stop) => chatStream(caption, { ...subject, includesUsage, stop }));
  }

  #caption(served: ServedRequest, { picture, options }: PictureRequest, caller: string) {
    return async (onText?: (piece: string) => void): Promise<ServedCaption> => {
      const { signal } = served;
      try {
        const text = await this.#captioning.caption({ picture, options, caller, signal, onText });
        served.tokens = text.caption.ids.length - text.promptTokens;
        if (this.#settings.debug) served.details = text;
        return text;
      } catch (error) {
        served.fail(httpErrorOf(error), error);
        throw error;
      }
    };
  }

  /** Answer with a stream, at whose end the request is answered. */
  async #stream(served: ServedRequest, begin: (stop: () => void) => Promise<EventAnswer>): Promise<Response> {
    const { answer, ended } = await begin(served.abandon);
    served.ended = ended;
    return answer;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#closing ??= (async () => {
      while (this.#requests.size > 0) await Promise.all([...this.#requests].map(({ left }) => left));
      await this.#scheduler[Symbol.asyncDispose]();
      this.#captioning[Symbol.dispose]();
    })();
  }
}

/**
 * Make a server of a captioner. It shares the model's steps between all requests.
 *
 * @param captioner Reads the pictures; it stays the caller's, and must outlive the handler.
 * @param options How requests are answered.
 * @throws {OptionError} If there is no such option, or a value it does not take.
 *
 * @example
 * ```ts
 * import { Captioner } from "@limner/limner";
 * import { createHandler } from "@limner/limner/serve";
 * import { assertEquals } from "@std/assert";
 *
 * await using captioner = await Captioner.load();
 * await using handler = createHandler(captioner, { apiKey: "secret" });
 * const body = await Deno.readFile("assets/examples/line.png");
 * const headers = { authorization: "Bearer secret", "content-type": "image/png" };
 * const answer = await handler.fetch(new Request("http://localhost/caption", { method: "POST", headers, body }));
 * assertEquals((await answer.json()).text, "ninth century Zen master");
 * ```
 */
export function createHandler(captioner: Captioner, options: HandlerOptions = {}): Handler {
  return new CaptionHandler(serveSettings(options), (own) => new Scheduler(captioner.model, own), () => captioner);
}
