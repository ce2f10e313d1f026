// What is fetched may be slow, endless, or come in crumbs: limits of time and bytes hold, and memory is no more than the
// body. And where a private address is refused, none is reached.
import { assert, assertEquals, assertRejects } from "@std/assert";
import { HubError } from "../../src/errors/mod.ts";
import { isPrivateAddress, type Network, systemNetwork } from "../../src/hub/network/private_addresses.ts";
import { collectPieces, joinPieces } from "../../src/hub/network/response_body.ts";
import { openRepository } from "../../src/hub/mod.ts";
import { requestFollowing } from "../../src/hub/network/redirects.ts";
import { request } from "../../src/hub/network/request.ts";
import type { Timeouts } from "../../src/hub/network/timeouts.ts";
import { writing } from "../tcp_server.ts";

const encoder = new TextEncoder();
const pause = (milliseconds: number) => new Promise<void>((resolve) => setTimeout(resolve, milliseconds));

async function drip(connection: Deno.TcpConn, text: string): Promise<void> {
  for (const letter of text) {
    await connection.write(encoder.encode(letter));
    await pause(20);
  }
}

Deno.test("a server that is slow in its headers, its body or for ever is left after the limit that is meant", async () => {
  const head = "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n";
  const cases: [what: (connection: Deno.TcpConn) => Promise<void>, timeouts: Timeouts, message: string][] = [
    [async () => await pause(1), { answer: 100 }, "no answer came for 0.1 s"],
    [(connection) => drip(connection, head + " ".repeat(1000)), { answer: 150 }, "no answer came for 0.15 s"],
    [
      async (connection) => void await connection.write(encoder.encode(`${head}{`)),
      { stall: 100 },
      "nothing came for 0.1 s",
    ],
    [
      async (connection) => {
        await connection.write(encoder.encode(head));
        await drip(connection, "x".repeat(1000));
      },
      { stall: 1000, total: 200 },
      "the body was not there after 0.2 s",
    ],
  ];
  for (const [what, timeouts, message] of cases) {
    using server = writing(what);
    const repository = await openRepository(server.url, { timeouts });
    const began = performance.now();
    const error = await assertRejects(() => repository.readText("config.json"), HubError, message);
    assertEquals(error.code, "network");
    assert(performance.now() - began < 5000);
  }
});

/** A body of so many bytes, each chunk a view of a buffer of 64 KiB as fetch's are. */
async function* crumbs(bytes: number, chunk: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes; at += chunk) {
    yield new Uint8Array(1 << 16).subarray(0, Math.min(chunk, bytes - at)).fill(at);
  }
}

Deno.test("a body that comes in crumbs is kept in memory of its own size", async () => {
  for (const [bytes, chunk] of [[30_000, 1], [9_000_001, 4096], [0, 1], [5, 10]]) {
    const pieces = await collectPieces(crumbs(bytes, chunk), bytes, () => new HubError("too long"));
    const held = pieces.reduce((sum, { buffer }) => sum + buffer.byteLength, 0);
    assert(held <= bytes, `${held} bytes are held of ${bytes}`);
    const whole = joinPieces(pieces);
    assertEquals([whole.length, pieces.length], [bytes, 0]);
    for (let at = 0; at < bytes; at += 1 + (at >> 6)) assertEquals(whole[at], (at - at % chunk) & 255);
  }
  await assertRejects(
    () => collectPieces(crumbs(1e9, 4096), 1e6, () => new HubError("too long")),
    HubError,
    "too long",
  );
});

Deno.test("a file without an end is left at its limit", async () => {
  await using server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, () => {
    const chunk = new Uint8Array(1 << 16);
    return new Response(new ReadableStream({ pull: (controller) => controller.enqueue(chunk) }));
  });
  const repository = await openRepository(`http://127.0.0.1:${server.addr.port}`, { maxFileBytes: 3e6 });
  await assertRejects(() => repository.open("model.safetensors"), HubError, "more than the 3000000 bytes");
});

Deno.test("isPrivateAddress() knows what is not public", () => {
  const inside = [
    "127.0.0.1",
    "10.1.2.3",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.1.1",
    "169.254.169.254",
    "100.64.0.1",
  ];
  const odd = [
    "0.0.0.0",
    "224.0.0.1",
    "255.255.255.255",
    "192.0.2.1",
    "::1",
    "::",
    "fe80::1%eth0",
    "fc00::1",
    "ff02::1",
  ];
  const standing = [
    "::ffff:10.0.0.1",
    "::ffff:8.8.8.8",
    "64:ff9b::a00:1",
    "2002:a00:1::",
    "2001:db8::1",
    "not an address",
  ];
  for (const address of [...inside, ...odd, ...standing]) assert(isPrivateAddress(address), address);
  for (
    const address of [
      "8.8.8.8",
      "172.32.0.1",
      "1.1.1.1",
      "64:ff9b::808:808",
      "64:ff9b::8.8.8.8",
      "2606:4700::1111",
      "2a00:1450:4001::200e",
    ]
  ) {
    assert(!isPrivateAddress(address), address);
  }
});

Deno.test("request() refuses private addresses, however they are written", async () => {
  await using server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, () => new Response("secret"));
  const { port } = server.addr;
  for (
    const host of ["127.0.0.1", "localhost", "2130706433", "0x7f.1", "127.1", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0"]
  ) {
    const url = new URL(`http://${host}:${port}/`);
    await assertRejects(() => request(url, { publicOnly: true }), HubError, "is a private address");
  }
  // A name with two addresses, of which one is private, is refused too.
  const resolve = () => Promise.resolve([{ address: "8.8.8.8", family: 4 }, { address: "10.0.0.1", family: 4 }]);
  const network: Network = { ...systemNetwork, resolve };
  const url = new URL("http://two.example/");
  await assertRejects(
    () => request(url, { publicOnly: true, network }),
    HubError,
    "two.example (10.0.0.1) is a private",
  );
});

Deno.test("requestFollowing() refuses private addresses at each redirect", async () => {
  const places = ["http://10.0.0.1/", "http://169.254.169.254/latest/meta-data", "http://[::1]/"];
  let next = 0;
  await using server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, ({ url }) => {
    const location = url.endsWith("/first") ? "/second" : places[next++];
    return new Response(null, { status: 302, headers: { location } });
  });
  // What the server has stands for a public address.
  const network: Network = { ...systemNetwork, isPrivate: (address) => address !== "127.0.0.1" };
  for (const place of places) {
    const url = new URL(`http://127.0.0.1:${server.addr.port}/first`);
    const error = await assertRejects(() => requestFollowing(url, { publicOnly: true, network }), HubError, place);
    assertEquals(error.code, "not-allowed");
  }
});

Deno.test("request() connects to the address that was checked, and to no other", async () => {
  await using server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, (request) => {
    return new Response(request.headers.get("host"), { status: 201, headers: { "x-a": "1" } });
  });
  let lookups = 0;
  const network: Network = {
    resolve: () => Promise.resolve([{ address: "127.0.0.1", family: 4 }]),
    isPrivate: () => lookups++ > 0, // who asks a second time is told something else
  };
  const url = new URL(`http://name.example:${server.addr.port}/`);
  using answer = await request(url, { publicOnly: true, network });
  const [body] = await collectPieces(answer.body, 1000, () => new HubError("too long"));
  assertEquals(new TextDecoder().decode(body), `name.example:${server.addr.port}`);
  assertEquals([answer.status, answer.headers.get("x-a"), lookups], [201, "1", 1]);
});

Deno.test("request() holds a checked address to the certificate of its name", async () => {
  const file = (name: string) => new URL(`../fixtures/tls/${name}`, import.meta.url);
  const [cert, key] = await Promise.all(["server.pem", "server_key.pem"].map((name) => Deno.readTextFile(file(name))));
  const listen = { port: 0, hostname: "127.0.0.1", cert, key, onListen() {} };
  await using server = Deno.serve(listen, (request) => new Response(request.headers.get("host")));
  const { port } = server.addr as Deno.NetAddr;
  const network: Network = {
    resolve: () => Promise.resolve([{ address: "127.0.0.1", family: 4 }]),
    isPrivate: () => false,
  };
  const ask = async (host: string) => {
    using answer = await request(new URL(`https://${host}:${port}/`), { publicOnly: true, network });
    return new TextDecoder().decode(joinPieces(await collectPieces(answer.body, 100, () => new HubError("too long"))));
  };
  const before = Deno.env.get("DENO_CERT");
  Deno.env.set("DENO_CERT", file("authority.pem").pathname);
  try {
    assertEquals(await ask("name.example"), `name.example:${port}`);
    await assertRejects(() => ask("other.example"), HubError, "does not match certificate");
    Deno.env.delete("DENO_CERT");
    await assertRejects(() => ask("name.example"), HubError, "certificate");
  } finally {
    if (before === undefined) Deno.env.delete("DENO_CERT");
    else Deno.env.set("DENO_CERT", before);
  }
});

Deno.test("request() ends when its signal says so, before the answer and in the body", async () => {
  using server = writing(async (connection) => {
    await connection.write(encoder.encode("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{"));
  });
  using silent = writing(async () => await pause(1));
  for (const publicOnly of [false, true]) {
    const network: Network = { resolve: systemNetwork.resolve, isPrivate: () => false };
    const stop = new AbortController();
    const options = { signal: stop.signal, publicOnly, network };
    setTimeout(() => stop.abort(new Error("enough")), 50);
    await assertRejects(() => request(new URL(silent.url), options), Error, "enough");
    const later = new AbortController();
    using answer = await request(new URL(server.url), { ...options, signal: later.signal });
    setTimeout(() => later.abort(new Error("enough")), 50);
    await assertRejects(() => collectPieces(answer.body, 100, () => new HubError("too long")), Error, "enough");
  }
});
