// A handler whose model is in a worker: as one beside it, and HTTP goes on while a device is waited for.
import { assert, assertEquals, assertRejects } from "@std/assert";
import { type BackendName, HubError, loadBackend, OptionError } from "../../../mod.ts";
import { createWorkerHandler, type HandlerOptions, type RequestLog } from "../../../src/serve/mod.ts";
import { testedBackends } from "../../backends/tested_backends.ts";
import { effort } from "../../effort.ts";
import { eventsOf, examples } from "../server_process.ts";

async function workerServing(backend: BackendName, options: HandlerOptions = {}) {
  const handler = await createWorkerHandler(undefined, { apiKey: null, load: { backend }, ...options });
  const server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, handler.fetch);
  const base = `http://127.0.0.1:${server.addr.port}`;
  return {
    handler,
    base,
    post: (path: string, body: Uint8Array<ArrayBuffer>, init: RequestInit = {}) =>
      fetch(base + path, { method: "POST", body, ...init }),
    metric: async (name: string): Promise<number> => {
      const text = await (await fetch(`${base}/metrics`)).text();
      return Number(new RegExp(`^${name} (\\S+)$`, "m").exec(text)![1]);
    },
    [Symbol.asyncDispose]: async () => {
      await handler[Symbol.asyncDispose]();
      await server.shutdown();
    },
  };
}

/** Until a condition holds: the worker tells how things stand a moment later. */
async function until(holds: () => Promise<boolean>): Promise<void> {
  const end = performance.now() + 30_000;
  while (!await holds()) {
    assert(performance.now() < end, `it never came that ${holds}`);
    await new Promise((resume) => setTimeout(resume, 10));
  }
}

/** Clients that ask at once, `rounds` times each; no answer is wrong and the server is idle in the end. */
async function load(server: Awaited<ReturnType<typeof workerServing>>, clients: number, rounds: number): Promise<void> {
  await Promise.all(Array.from({ length: clients }, async (_, client) => {
    for (let i = client; i < client + rounds; i++) {
      const { picture, text } = examples[i % examples.length];
      const answer = await server.post("/caption", picture);
      assertEquals([answer.status, (await answer.json()).text], [200, text]);
    }
  }));
  await until(async () =>
    await server.metric("limner_slots_in_use") === 0 && await server.metric("limner_queue_length") === 0
  );
}

for (const backend of testedBackends.includes("webgpu") ? ["webgpu", "wasm"] as const : ["wasm"] as const) {
  Deno.test(`a worker on ${backend}: many clients get the texts of their pictures, and HTTP goes on meanwhile`, async () => {
    await using server = await workerServing(backend, { slots: 8 });
    assert(server.handler.device.startsWith(backend), server.handler.device);
    await until(async () =>
      (await fetch(`${server.base}/readyz`).then((answer) => (answer.body?.cancel(), answer))).ok
    );
    let busy = true;
    const running = load(server, effort(8, 32), effort(2, 20)).finally(() => busy = false);
    running.catch(() => {}); // It is awaited below.
    let health = 0;
    while (busy) {
      assertEquals((await (await fetch(`${server.base}/healthz`)).json()).status, "ok");
      health++;
    }
    await running;
    const steps = await server.metric("limner_steps_total");
    // A thread that waits for the device would answer once between two steps, as it does for everything else.
    assert(health > 2 * steps, `${health} answers during ${steps} steps`);
    assert(await server.metric("limner_handles") > 0);
  });
}

Deno.test("a worker: streams, refusals, beams, near ties in the log, and clients that leave", async () => {
  const logs: RequestLog[] = [];
  await using server = await workerServing("ffi", { slots: 2, debug: true, onAnswered: (entry) => logs.push(entry) });
  const { picture, text } = examples[0];
  const stream = await server.post("/caption", picture, { headers: { accept: "text/event-stream" } });
  const events = eventsOf(await stream.text());
  assertEquals(events.map(({ name }) => name).at(-1), "caption");
  assertEquals(events.slice(0, -1).map(({ data }) => JSON.parse(data).text).join(""), text);
  assert(events.length > 5, `${events.length} events`);
  const beams = await server.post("/caption?numBeams=3", picture);
  assertEquals((await beams.json()).text, text);
  const wrong = await server.post("/caption?temperature=-1&doSample=true", picture);
  assertEquals([wrong.status, (await wrong.json()).error.code], [400, "invalid_option"]);
  const broken = await server.post("/caption", new TextEncoder().encode("no picture"));
  assertEquals([broken.status, (await broken.json()).error.code], [400, "invalid_image"]);
  // A client that leaves once the first tokens are there; the whole text may be there before the server hears of it.
  for (let i = 0; i < 50 && await server.metric("limner_aborted_total") === 0; i++) {
    const leaving = new AbortController();
    const asked = { headers: { accept: "text/event-stream" }, signal: leaving.signal };
    const left = await server.post("/caption?minNewTokens=63&maxNewTokens=63", picture, asked);
    leaving.abort();
    await left.text().catch(() => {});
    await until(async () => await server.metric("limner_slots_in_use") === 0);
  }
  assert(await server.metric("limner_aborted_total") > 0);
  assertEquals((await (await server.post("/caption", picture)).json()).text, text);
  const [streamed, searched] = logs.filter(({ path, status }) => path === "/caption" && status === 200);
  assertEquals([streamed.nearTie, searched.nearTie], [false, undefined]);
  assertEquals(Object.keys(streamed.parts!), ["read", "queue", "encode", "decode"]);
  assert(streamed.parts!.decode > 0 && streamed.tokens! > 20, JSON.stringify(streamed));
});

Deno.test("a worker: what cannot be loaded fails with the reason, and what closes answers what runs", async () => {
  await assertRejects(() => createWorkerHandler("no/such/folder/there"), HubError, "no/such/folder/there");
  await assertRejects(
    () => createWorkerHandler(undefined, { load: { backend: "ffi", libraryPath: "/no/such/library.so" } }),
    Error,
    "/no/such/library.so",
  );
  const backend = await loadBackend("reference");
  await assertRejects(() => createWorkerHandler(undefined, { load: { backend } }), OptionError, "give its name");
  await backend[Symbol.asyncDispose]();
  const server = await workerServing("ffi", { slots: 1 });
  const { picture, text } = examples[1];
  const running = Array.from(
    { length: 3 },
    () => server.handler.fetch(new Request(`${server.base}/caption`, { method: "POST", body: picture })),
  );
  const closed = server[Symbol.asyncDispose]();
  const refused = await server.handler.fetch(new Request(`${server.base}/caption`, { method: "POST", body: picture }));
  assertEquals(refused.status, 503);
  for (const answer of await Promise.all(running)) assertEquals((await answer.json()).text, text);
  await closed;
});
