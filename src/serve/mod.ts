/**
 * A server of captions: requests that arrive at any time share the model's steps. It speaks HTTP with JSON, server-sent
 * events, and OpenAI's chat completions.
 *
 * @example
 * ```ts
 * import { Captioner } from "@limner/limner";
 * import { createHandler } from "@limner/limner/serve";
 * import { assertEquals } from "@std/assert";
 *
 * await using captioner = await Captioner.load();
 * await using handler = createHandler(captioner);
 * await using server = Deno.serve({ port: 0, onListen() {} }, handler.fetch);
 * const body = await Deno.readFile("assets/examples/date.png");
 * const answer = await fetch(`http://localhost:${server.addr.port}/caption`, { method: "POST", body });
 * assertEquals((await answer.json()).text, "2/8/2021");
 * ```
 *
 * @module
 */
export { type ConnectionInfo, createHandler, type Handler } from "./handler.ts";
export type { HandlerOptions, RequestLog } from "./serve_options.ts";
export { createWorkerHandler, type WorkerHandler, type WorkerHandlerOptions } from "./worker/worker_handler.ts";
