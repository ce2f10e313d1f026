// Requests of strangers: each is refused with a status of its own, and the next good one is answered.
import { assert, assertEquals } from "@std/assert";
import type { HandlerOptions } from "../../src/serve/mod.ts";
import { effort } from "../effort.ts";
import { bomb, deep, hostileBytes, type HostileRequest, hostileRequests, resized } from "./hostile_requests.ts";
import { chat, dataUrl, examples, type Serving, serving } from "./server_process.ts";

const [{ picture, text }] = examples;
const json = { "content-type": "application/json" };

const addresses = [
  ...["https://127.0.0.1/a.png", "https://localhost/a.png", "https://[::1]/a.png", "https://10.0.0.1/a.png"],
  ...["https://169.254.169.254/latest", "https://192.168.1.1/", "https://0.0.0.0/", "https://[fd00::1]/"],
  ...["https://2130706433/", "https://[::ffff:127.0.0.1]/"],
];
const schemes = ["http://example.com/a.png", "file:///etc/passwd", "blob:https://a/b", "ftp://a/b", "javascript:1"];

const requests: readonly HostileRequest[] = [
  { name: "no body", right: 400 },
  { name: "an empty body", body: "", right: 400 },
  { name: "a text", body: "hello", headers: { "content-type": "text/plain" }, right: 415 },
  { name: "a page", body: "<html>", headers: { "content-type": "text/html" }, right: 415 },
  { name: "a text that says it is a picture", body: "hello", headers: { "content-type": "image/png" }, right: 400 },
  { name: "a type that is none", body: picture, headers: { "content-type": "///" }, right: 415 },
  { name: "bytes", body: crypto.getRandomValues(new Uint8Array(5000)), right: 400 },
  { name: "half a picture", body: picture.slice(0, 200), right: 400 },
  { name: "a picture that is too wide", body: resized(2 ** 31 - 1, 1), right: [400, 413] },
  { name: "a bomb", body: bomb(10_000, 10_000), right: 413 },
  { name: "a picture of no height", body: resized(100, 0), right: 400 },
  { name: "a picture that lacks most of its pixels", body: resized(3000, 3000), right: 400 },
  { name: "a body that is too long", body: new Uint8Array(2 ** 20 + 1), right: 413 },
  { name: "a GET", method: "GET", right: 405 },
  { name: "a DELETE", method: "DELETE", right: 405 },
  { name: "a PUT", method: "PUT", body: picture, right: 405 },
  { name: "another path", path: "/../../etc/passwd", body: picture, right: 404 },
  { name: "a path of an object's own", path: "/constructor", body: picture, right: 404 },
  { name: "an option that does not exist", path: "/caption?nonsense=1", body: picture, right: 400 },
  { name: "an option of an object's own", path: "/caption?__proto__=1", body: picture, right: 400 },
  { name: "an option twice", path: "/caption?seed=1&seed=2", body: picture, right: 400 },
  { name: "a number that is none", path: "/caption?maxNewTokens=1e999", body: picture, right: 400 },
  { name: "a number that is negative", path: "/caption?maxNewTokens=-1", body: picture, right: 400 },
  { name: "too many tokens", path: "/caption?maxNewTokens=1000000", body: picture, right: 400 },
  { name: "too many beams", path: "/caption?numBeams=9", body: picture, right: 400 },
  { name: "a seed without sampling", path: "/caption?seed=1", body: picture, right: 400 },
  { name: "a page of a PNG", path: "/caption?page=9", body: picture, right: 400 },
  { name: "a prompt that is empty", path: "/caption?prompt=", body: picture, right: 400 },
  { name: "JSON that is none", body: "{", headers: json, right: 400 },
  { name: "JSON that is no object", body: "[1]", headers: json, right: 400 },
  { name: "JSON that is null", body: "null", headers: json, right: 400 },
  { name: "JSON without a picture", body: "{}", headers: json, right: 400 },
  { name: "JSON that is no UTF-8", body: Uint8Array.of(0x7b, 0xff, 0xfe), headers: json, right: 400 },
  { name: "deep JSON", body: deep(100_000), headers: json, right: 400 },
  { name: "deep JSON in a field", body: `{"image":${deep(500)}}`, headers: json, right: 400 },
  { name: "a picture that is a number", body: '{"image":1}', headers: json, right: 400 },
  { name: "a picture that is a path", body: '{"image":"/etc/passwd"}', headers: json, right: 400 },
  { name: "a path of a picture", body: '{"image":"assets/examples/line.png"}', headers: json, right: 400 },
  { name: "base64 that is none", body: '{"image":"!!!!"}', headers: json, right: 400 },
  { name: "a data URL of a text", body: '{"image":"data:text/plain,hello"}', headers: json, right: 400 },
  { name: "a data URL without data", body: '{"image":"data:image/png;base64,"}', headers: json, right: 400 },
  {
    name: "an option of another type",
    body: JSON.stringify({ image: dataUrl(picture), seed: "1" }),
    headers: json,
    right: 400,
  },
  { name: "__proto__ in JSON", body: `{"image":"${dataUrl(picture)}","__proto__":{"a":1}}`, headers: json, right: 400 },
  {
    name: "a form that is cut",
    body: "--x\r\nContent-",
    headers: { "content-type": "multipart/form-data; boundary=x" },
    right: 400,
  },
  { name: "a form without boundary", body: "x", headers: { "content-type": "multipart/form-data" }, right: 400 },
  {
    name: "a form without picture",
    body: new URLSearchParams({ a: "b" }).toString(),
    headers: { "content-type": "multipart/form-data; boundary=x" },
    right: 400,
  },
  { name: "a chat without messages", path: "/v1/chat/completions", body: '{"model":"limner"}', right: 400 },
  {
    name: "a chat without picture",
    path: "/v1/chat/completions",
    body: '{"model":"limner","messages":[{"role":"user","content":"hi"}]}',
    right: 400,
  },
  {
    name: "a chat whose messages are null",
    path: "/v1/chat/completions",
    body: '{"model":"limner","messages":[null]}',
    right: 400,
  },
  {
    name: "a chat with audio",
    path: "/v1/chat/completions",
    body: '{"model":"limner","messages":[{"content":[{"type":"input_audio"}]}]}',
    right: 400,
  },
  {
    name: "a chat of another model",
    path: "/v1/chat/completions",
    body: chat(dataUrl(picture), { model: "x" }),
    right: 404,
  },
  ...addresses.map((url) => ({ name: `chat ${url}`, path: "/v1/chat/completions", body: chat(url), right: 403 })),
  ...schemes.map((url) => ({ name: `chat ${url}`, path: "/v1/chat/completions", body: chat(url), right: 400 })),
  ...["https://127.0.0.1/", "file:///etc/passwd"].map((image, i) => ({
    ...{ name: `picture ${image}`, body: JSON.stringify({ image }), headers: json, right: [403, 400][i] },
  })),
];

/** Ask by fetch. @returns What is wrong with the answer; empty if it is right. */
async function ask(
  server: Serving,
  { name, path = "/caption", method = "POST", body, headers, right }: HostileRequest,
): Promise<string> {
  const answer = await fetch(server.base + path, { method, body, headers });
  const { error } = await answer.json();
  const isRight = [right].flat().includes(answer.status) && typeof error?.message === "string" && error.code;
  return isRight ? "" : `${name}: ${answer.status} ${JSON.stringify(error)}`;
}

async function goodOne(server: Serving): Promise<void> {
  let answer = await server.post("/caption", picture);
  // Where bodies have little time, it may be over on a busy machine before this process has sent one.
  for (let again = 0; again < 3 && answer.status === 408; again++) {
    await answer.body?.cancel();
    answer = await server.post("/caption", picture);
  }
  assertEquals((await answer.json()).text, text);
}

Deno.test(`${requests.length} hostile requests are refused, each with the right status`, async () => {
  await using server = await serving({ maxBodyBytes: 2 ** 20, allowAddresses: true });
  const wrong: string[] = [];
  for (const request of requests) wrong.push(await ask(server, request));
  assertEquals(wrong.filter(Boolean), []);
  await goodOne(server);
  await using strict = await serving();
  const refused = await strict.post("/v1/chat/completions", chat("https://example.com/a.png"));
  assertEquals([refused.status, (await refused.json()).error.code], [403, "addresses_not_allowed"]);
});

/** Speak to a server byte by byte. @returns What it says until it closes, or until there is an answer's first line. */
async function speak(port: number, parts: readonly string[], close = false): Promise<string> {
  const connection = await Deno.connect({ hostname: "127.0.0.1", port });
  try {
    for (const part of parts) await connection.write(new TextEncoder().encode(part)).catch(() => 0);
    if (close) return "";
    const buffer = new Uint8Array(65536);
    const length = await connection.read(buffer).catch(() => null);
    return new TextDecoder().decode(buffer.subarray(0, length ?? 0));
  } finally {
    connection.close();
  }
}

Deno.test("slow bodies, cut connections, huge headers and smuggled lengths leave the server as it was", async () => {
  await using server = await serving({ bodyTimeout: 300, slots: 2 });
  const head = "POST /caption HTTP/1.1\r\nHost: a\r\nContent-Type: image/png\r\n";
  const slow = await speak(server.port, [`${head}Content-Length: 1000\r\n\r\nabc`]);
  assert(/^HTTP\/1\.1 408 /.test(slow), slow);
  for (let i = 0; i < 8; i++) {
    await speak(server.port, [`${head}Content-Length: 100000\r\n\r\n${"a".repeat(100 * i)}`], true);
  }
  await speak(server.port, [head], true);
  const strange: [string, readonly string[]][] = [
    ["a huge header", [`${head}X: ${"a".repeat(2 ** 21)}\r\n\r\n`]],
    ["too many headers", [`${head}${"X: a\r\n".repeat(5000)}\r\n`]],
    ["two lengths", [`${head}Content-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef`]],
    ["a length that is none", [`${head}Content-Length: -5\r\n\r\nabcde`]],
    ["a chunk of no size", [`${head}Transfer-Encoding: chunked\r\n\r\nxyz\r\nabc\r\n0\r\n\r\n`]],
    ["a host that is none", ["GET /healthz HTTP/1.1\r\nHost: a b:99999\r\n\r\n"]],
    ["an address that is none", ["GET http://[ HTTP/1.1\r\nHost: a\r\n\r\n"]],
    ["no HTTP", ["\0\0\0\0\r\n\r\n"]],
  ];
  for (const [name, parts] of strange) {
    const said = await speak(server.port, parts);
    assert(said === "" || /^HTTP\/1\.1 4\d\d /.test(said), `${name}: ${said.slice(0, 200)}`);
  }
  // A length beside chunks: what follows the chunks must not be taken for a request of its own.
  const both = await speak(server.port, [
    `${head}Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /healthz HTTP/1.1\r\nHost: a\r\n\r\n`,
  ]);
  assert(/^HTTP\/1\.1 4\d\d /.test(both) || both === "", both);
  await server.idle();
  await goodOne(server);
});

const seed = 20;
const [byFetch, byBytes] = [hostileRequests(effort(800, 8000), seed), hostileBytes(effort(200, 2000), seed)];

/** Do something with a server. @returns What it found wrong; the server is idle and has as many handles as before. */
async function wrongWith(options: HandlerOptions, act: (server: Serving) => Promise<string[]>): Promise<string[]> {
  await using server = await serving({ maxBodyBytes: 2 ** 20, allowAddresses: true, ...options });
  await goodOne(server);
  await server.idle();
  const handles = await server.metric("limner_handles");
  const wrong = await act(server);
  await server.idle();
  assertEquals(await server.metric("limner_handles"), handles);
  return wrong.filter(Boolean);
}

Deno.test(`${byFetch.length} hostile requests of a seed are refused, and the next good one is answered`, async () => {
  const wrong = await wrongWith({}, async (server) => {
    const wrong: string[] = [];
    for (const [i, request] of byFetch.entries()) {
      wrong.push(await ask(server, request));
      if (i % 16 === 15) await goodOne(server); // after each round of all kinds
    }
    return wrong;
  });
  assertEquals(wrong, []);
});

Deno.test(`${byBytes.length} hostile connections of a seed are refused, and the next good one is answered`, async () => {
  const wrong = await wrongWith({ bodyTimeout: 300 }, async (server) => {
    const wrong: string[] = [];
    for (let at = 0; at < byBytes.length; at += 20) {
      await Promise.all(
        byBytes.slice(at, at + 20).map(async ({ name, bytes, cut, right }) => {
          const said = await speak(server.port, [bytes], cut);
          const status = Number(/^HTTP\/1\.1 (\d\d\d) /.exec(said)?.[1] ?? 0);
          const isRight = cut || (right ? status === right : said === "" || (status >= 400 && status < 500));
          if (!isRight) wrong.push(`${name}: ${said.slice(0, 200)}`);
        }),
      );
      await goodOne(server);
    }
    return wrong;
  });
  assertEquals(wrong, []);
});
