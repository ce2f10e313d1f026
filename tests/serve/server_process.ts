// A handler behind a socket, as clients see it.
import { type BackendName, Captioner } from "../../mod.ts";
import { createHandler, type Handler, type HandlerOptions, type RequestLog } from "../../src/serve/mod.ts";
import { root, texts } from "../cli/command_process.ts";

/** The examples' pictures, and what is read in them. */
export const examples: readonly { readonly picture: Uint8Array<ArrayBuffer>; readonly text: string }[] = Object.entries(
  texts,
).map(([file, text]) => ({ picture: Deno.readFileSync(root + file), text }));

/** A server that runs. */
export interface Serving extends AsyncDisposable {
  readonly base: string;
  readonly port: number;
  readonly captioner: Captioner;
  readonly handler: Handler;
  readonly logs: readonly RequestLog[];
  /** Post a picture or whatever else. */
  post(path: string, body: BodyInit, headers?: HeadersInit): Promise<Response>;
  /** The value of a metric without labels. */
  metric(name: string): Promise<number>;
  /** Wait until nothing is under way. */
  idle(): Promise<void>;
}

/** Serve the embedded model. @param backend ffi, unless another is asked for. */
export async function serving(options: HandlerOptions = {}, backend: BackendName = "ffi"): Promise<Serving> {
  const captioner = await Captioner.load(undefined, { backend });
  const logs: RequestLog[] = [];
  const handler = createHandler(captioner, { apiKey: null, onAnswered: (entry) => logs.push(entry), ...options });
  const server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, handler.fetch);
  const { port } = server.addr;
  const base = `http://127.0.0.1:${port}`;
  const metric = async (name: string): Promise<number> => {
    const text = await (await fetch(`${base}/metrics`)).text();
    return Number(new RegExp(`^${name} (\\S+)$`, "m").exec(text)![1]);
  };
  return {
    ...{ base, port, captioner, handler, logs, metric },
    post: (path, body, headers = {}) => fetch(base + path, { method: "POST", body, headers }),
    idle: async () => {
      for (let i = 0; i < 1000; i++) {
        const busy = await Promise.all(
          ["slots_in_use", "queue_length", "requests_in_flight"].map((name) => metric(`limner_${name}`)),
        );
        if (busy.every((value) => value === 0)) return;
        await new Promise((resume) => setTimeout(resume, 20));
      }
      throw new Error("the server does not come to rest");
    },
    [Symbol.asyncDispose]: async () => {
      await handler[Symbol.asyncDispose]();
      await server.shutdown();
      await captioner[Symbol.asyncDispose]();
    },
  };
}

/** The events of an answer, in their order. */
export function eventsOf(text: string): { readonly name?: string; readonly data: string }[] {
  return text.split("\n\n").filter(Boolean).map((event) => ({
    name: /^event: (.*)$/m.exec(event)?.[1],
    data: /^data: (.*)$/m.exec(event)![1],
  }));
}

/** A picture as a message of OpenAI's protocol. */
export function chat(url: string, more: Record<string, unknown> = {}): string {
  const content = [{ type: "text", text: "What is written here?" }, { type: "image_url", image_url: { url } }];
  return JSON.stringify({ model: "limner", messages: [{ role: "user", content }], ...more });
}

/** A picture as a data URL. */
export const dataUrl = (picture: Uint8Array): string => `data:image/png;base64,${picture.toBase64()}`;
