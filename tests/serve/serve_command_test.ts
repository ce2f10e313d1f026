// `caption.ts serve` as a process: what it prints, what it notes of requests, how it ends.
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { parseTable } from "../../src/cli/_parse.ts";
import { serveValued } from "../../src/cli/serve/serve_options.ts";
import { caption, root } from "../cli/command_process.ts";
import { testedBackends } from "../backends/tested_backends.ts";
import { eventsOf, examples } from "./server_process.ts";

Deno.test("caption.ts serve: a key of the environment, logs of JSON, and SIGTERM lets what runs finish", async () => {
  const args = ["run", "-A", "--no-check", "--quiet", "caption.ts", "serve", "--port", "0", "--log", "json"];
  const env = { LIMNER_API_KEY: "key-of-environment", HF_HUB_OFFLINE: "1" };
  const child = new Deno.Command(Deno.execPath(), {
    ...{ args: [...args, "--backend", "ffi"], cwd: root, env, stdin: "null", stdout: "piped", stderr: "piped" },
  }).spawn();
  const lines = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  const errors = new Response(child.stderr).text();
  const base = /http:\/\/\S+/.exec((await lines.read()).value!)![0];
  const { picture, text } = examples[0];
  const ask = (query: string, key = env.LIMNER_API_KEY, accept = "application/json") =>
    fetch(`${base}/caption${query}`, {
      method: "POST",
      body: picture,
      headers: { accept, authorization: `Bearer ${key}` },
    });
  assertEquals((await (await ask("")).json()).text, text);
  const refused = await ask("", "another-key");
  assertEquals([refused.status, (await refused.json()).error.code], [401, "invalid_api_key"]);
  const running = await ask("?minNewTokens=60&maxNewTokens=60", undefined, "text/event-stream");
  const pieces = running.body!.pipeThrough(new TextDecoderStream()).getReader();
  let written = (await pieces.read()).value!; // its first piece: the others are being written
  child.kill("SIGTERM");
  for (let next = await pieces.read(); !next.done; next = await pieces.read()) written += next.value;
  assertEquals(JSON.parse(eventsOf(written).at(-1)!.data).truncated, true);
  assertEquals((await child.status).code, 0);
  await lines.cancel();
  const said = await errors;
  assert(!/of-environment|another-key/.test(said), said);
  const entries = said.trim().split("\n").map((line) => JSON.parse(line)).filter(({ path }) => path === "/caption");
  assertEquals(entries.map(({ status }) => status), [200, 401, 200]);
  assertEquals(entries[2].tokens, 60);
});

Deno.test("caption.ts serve --log debug: a backend that holds its thread is in a worker, and SIGTERM ends both", async () => {
  const backend = testedBackends.includes("webgpu") ? "webgpu" : "wasm";
  const args = ["run", "-A", "--no-check", "--quiet", "caption.ts", "serve", "--port", "0", "--log", "debug"];
  const child = new Deno.Command(Deno.execPath(), {
    ...{ args: [...args, "--backend", backend, "--verbose"], cwd: root, stdin: "null" },
    ...{ stdout: "piped", stderr: "piped" },
  }).spawn();
  const lines = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  const errors = new Response(child.stderr).text();
  const base = /http:\/\/\S+/.exec((await lines.read()).value!)![0];
  const { picture, text } = examples[2];
  const running = fetch(`${base}/caption`, { method: "POST", body: picture });
  const headers = { accept: "text/event-stream" };
  const streamed = await (await fetch(`${base}/caption`, { method: "POST", body: picture, headers })).text();
  assertEquals((await (await running).json()).text, text);
  assertStringIncludes(streamed, JSON.stringify(text));
  child.kill("SIGTERM");
  assertEquals((await child.status).code, 0);
  await lines.cancel();
  const said = (await errors).trim().split("\n");
  assert(said.some((line) => line.startsWith(`device: ${backend}`) && line.endsWith("in a worker")), said.join("\n"));
  const entries = said.filter((line) => line.startsWith("{")).map((line) => JSON.parse(line));
  assertEquals(entries.map(({ nearTie }) => nearTie), [false, false]);
  assertEquals(Object.keys(entries[0].parts), ["read", "queue", "encode", "decode"]);
});

Deno.test("caption.ts serve: its page, and command lines that are wrong", async () => {
  const { code, stdout } = await caption(["serve", "--help"]);
  assertEquals(code, 0);
  for (const option of ["--api-key", "--slots", "--log", "--host", "--port"]) assertStringIncludes(stdout, option);
  const wrong = await caption(["serve", "--port", "x", "--log", "xml"]);
  assertEquals(wrong.code, 2);
  assertEquals(wrong.complaints.length, 3);
  const listener = Deno.listen({ port: 0, hostname: "127.0.0.1" });
  const taken = await caption([
    "serve",
    "--port",
    String((listener.addr as Deno.NetAddr).port),
    "--backend",
    "reference",
  ]);
  listener.close();
  assertEquals(taken.code, 1);
  assertStringIncludes(taken.stderr, "Cannot listen on 127.0.0.1:");
});

Deno.test("caption.ts serve takes ports that there are", () => {
  const ports = { "0": true, "8000": true, "65535": true, "65536": false, "99999": false, "08": false, "1.5": false };
  for (const [port, isThere] of Object.entries(ports)) {
    const { problems } = parseTable([`--port=${port}`], [], { port: serveValued.port });
    assertEquals(problems.length === 0, isThere, port);
  }
});
