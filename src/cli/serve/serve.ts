// `caption.ts serve`: a model behind HTTP, until SIGTERM or SIGINT. Then it takes no more, finishes what runs, and ends.
import { LimnerError, OptionError } from "../../errors/mod.ts";
import type { Captioner } from "../../captioner/captioner.ts";
import {
  createHandler,
  createWorkerHandler,
  type Handler,
  type HandlerOptions,
  type RequestLog,
} from "../../serve/mod.ts";
import type { Console } from "../console.ts";
import { loadCaptioner, type Loading, whileLoading } from "../load_captioner.ts";
import { type GivenReading, type ReadingOptions, readingOptions } from "../options.ts";
import { Progress } from "../progress.ts";
import type { serveFlags, serveValued } from "./serve_options.ts";

/** What a server was asked to be. */
export interface GivenServing {
  readonly flags: Readonly<Partial<Record<typeof serveFlags[number], boolean>>>;
  readonly values: Readonly<Partial<Record<keyof typeof serveValued, string>>>;
}

/** How a request is told of. */
const tellers: Readonly<Record<string, ((entry: RequestLog) => string) | undefined>> = {
  json: (entry) => JSON.stringify(entry),
  debug: (entry) => JSON.stringify(entry),
  text: ({ time, method, path, status, milliseconds, code, fault }) =>
    [time, method, path, status, `${milliseconds} ms`, code, fault].filter((part) => part !== undefined).join(" "),
  none: undefined,
};

/**
 * Serve until a signal ends it.
 *
 * @returns The exit code 0.
 * @throws {LimnerError} If the model cannot be had, or the port is taken.
 */
export async function serve({ flags, values }: GivenServing, console: Console): Promise<number> {
  const reading = readingOptions({ flags, values } as unknown as GivenReading);
  if (reading.model === undefined && (reading.revision ?? reading.tokenFile) !== undefined) {
    throw new OptionError(
      "options --revision and --token-file need --model NAME: the embedded model is not on the Hub",
    );
  }
  const number = (name: keyof typeof serveValued) => values[name] === undefined ? undefined : Number(values[name]);
  const progress = new Progress(false);
  const loading = { console, progress, spinning: false };
  const tell = tellers[values.log ?? "text"];
  const options: HandlerOptions = {
    apiKey: values["api-key"],
    modelName: values["model-name"],
    ...{ slots: number("slots"), maxWaiting: number("queue"), maxPixels: number("max-pixels") },
    maxBodyBytes: mebibytes(number("max-body")),
    ...{ requestTimeout: milliseconds(number("timeout")), bodyTimeout: milliseconds(number("body-timeout")) },
    ...{ allowAddresses: flags["allow-addresses"], allowPrivateAddresses: flags["allow-private"] },
    cors: values.cors === undefined ? undefined : values.cors === "*" ? "*" : values.cors.split(","),
    debug: values.log === "debug",
    onAnswered: tell && ((entry) => console.say(tell(entry))),
  };
  await using handler = await handlerOf(reading, loading, options);
  using ending = new EndingSignal();
  const server = listen(Number(values.port ?? 8000), values.host ?? "127.0.0.1", handler.fetch);
  const { hostname, port } = server.addr;
  const host = hostname.includes(":") ? `[${hostname}]` : hostname;
  console.print(`listening on http://${host}:${port}\n`);
  await ending.came;
  // What waits for an answer gets it; connections that wait for a request are closed.
  await handler[Symbol.asyncDispose]();
  await server.shutdown();
  return 0;
}

/** A server of the model; where its backend holds the thread that it computes on, it is in a worker. */
async function handlerOf(reading: ReadingOptions, loading: Loading, options: HandlerOptions): Promise<Handler> {
  let { backend } = reading;
  if (backend === "auto" || backend === "ffi") {
    const captioner = await loadCaptioner(reading, loading);
    if (captioner.model.backend.name === "ffi") return ownHandler(captioner, options);
    backend = captioner.model.backend.name;
    await captioner[Symbol.asyncDispose]();
  }
  const handler = await whileLoading({ ...reading, backend }, loading, (load) => {
    return createWorkerHandler(reading.model, { ...options, load });
  });
  if (reading.verbose) loading.progress.above(() => loading.console.say(`device: ${handler.device}, in a worker`));
  return handler;
}

/** A handler that releases its captioner. */
function ownHandler(captioner: Captioner, options: HandlerOptions): Handler {
  const handler = createHandler(captioner, options);
  return {
    fetch: handler.fetch,
    async [Symbol.asyncDispose]() {
      await handler[Symbol.asyncDispose]();
      await captioner[Symbol.asyncDispose]();
    },
  };
}

const mebibytes = (count: number | undefined) => count === undefined ? undefined : count * 2 ** 20;
const milliseconds = (seconds: number | undefined) => seconds === undefined ? undefined : seconds * 1000;

function listen(port: number, hostname: string, fetch: Deno.ServeHandler<Deno.NetAddr>): Deno.HttpServer<Deno.NetAddr> {
  try {
    return Deno.serve({ port, hostname, onListen() {} }, fetch);
  } catch (error) {
    throw new LimnerError(`Cannot listen on ${hostname}:${port}: ${(error as Error).message}`, { cause: error });
  }
}

/** The signals that end a server. */
class EndingSignal implements Disposable {
  readonly #came = Promise.withResolvers<void>();
  readonly #end = () => this.#came.resolve();
  readonly #signals: readonly Deno.Signal[] = Deno.build.os === "windows" ? ["SIGINT"] : ["SIGTERM", "SIGINT"];

  constructor() {
    for (const signal of this.#signals) Deno.addSignalListener(signal, this.#end);
  }

  /** Settles with the first of them. */
  get came(): Promise<void> {
    return this.#came.promise;
  }

  [Symbol.dispose](): void {
    for (const signal of this.#signals) Deno.removeSignalListener(signal, this.#end);
  }
}
