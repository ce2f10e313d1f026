// Pictures under addresses: private ones are refused unless allowed, by the address that is connected to; what comes is
// judged by its content, and within limits of time.
import { assert, assertEquals, assertRejects } from "@std/assert";
import { readImage } from "../../mod.ts";
import { FormatError, HubError } from "../../src/errors/mod.ts";

const png = await Deno.readFile(new URL("../../assets/examples/line.png", import.meta.url));

/** Serve answers while `use` runs, and count them. */
async function serving(
  answer: (request: Request) => Response,
  use: (base: string, count: () => number) => Promise<void>,
): Promise<void> {
  let requests = 0;
  const server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, (request) => {
    requests++;
    return answer(request);
  });
  try {
    await use(`127.0.0.1:${server.addr.port}`, () => requests);
  } finally {
    await server.shutdown();
  }
}

Deno.test("readImage() does not ask a private address, however it is written, unless that is allowed", async () => {
  await serving(() => new Response(png), async (host, count) => {
    const [, port] = host.split(":");
    for (const name of ["127.0.0.1", "localhost", "2130706433", "[::1]", "0x7f000001"]) {
      const error = await assertRejects(
        () => readImage(`http://${name}:${port}/a.png`),
        HubError,
        "is a private address",
      );
      assertEquals(error.code, "not-allowed");
      assert(error.message.includes(`http://${name}:${port}/a.png`) && error.message.includes("allowPrivateAddresses"));
    }
    assertEquals(count(), 0);
    assertEquals((await readImage(`http://${host}/a.png`, { allowPrivateAddresses: true })).height, 20);
    assertEquals(count(), 1);
  });
});

Deno.test("readImage() judges what comes by its content, and follows redirects only so far", async () => {
  const types = { "content-type": "text/html" };
  const answers: Record<string, () => Response> = {
    "/a": () => new Response(png, { headers: types }),
    "/b.png": () => new Response("<html>not a picture</html>", { headers: { "content-type": "image/png" } }),
    "/c.png": () => new Response(null, { status: 302, headers: { location: "/a" } }),
    "/d.png": () => new Response(null, { status: 302, headers: { location: "/d.png" } }),
    "/e.png": () => new Response(null, { status: 302, headers: { location: "file:///etc/passwd" } }),
  };
  await serving((request) => answers[new URL(request.url).pathname](), async (host) => {
    const read = (path: string) => readImage(`http://${host}${path}`, { allowPrivateAddresses: true });
    assertEquals([(await read("/a")).height, (await read("/c.png")).height], [20, 20]);
    await assertRejects(() => read("/b.png"), FormatError, "PNG, JPEG, GIF, WebP, BMP, TIFF, AVIF or PNM");
    await assertRejects(() => read("/d.png"), HubError, "redirects more than 10 times");
    await assertRejects(() => read("/e.png"), HubError, "it redirects to");
  });
});

Deno.test("readImage() leaves a server that hangs before its answer, or in it", async () => {
  using listener = Deno.listen({ port: 0, hostname: "127.0.0.1" });
  const connections: Deno.Conn[] = [];
  const writes = ["", "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n\x89PNG"];
  (async () => {
    for await (const connection of listener) {
      connections.push(connection);
      await connection.write(new TextEncoder().encode(writes[connections.length - 1]));
    }
  })().catch(() => {});
  const address = `http://127.0.0.1:${listener.addr.port}/a.png`;
  // One limit at a time: on a busy machine an answer that comes may take as long as one that does not is waited for.
  const read = (timeouts: object) => readImage(address, { allowPrivateAddresses: true, timeouts });
  await assertRejects(() => read({ answer: 200 }), HubError, "no answer came for 0.2 s");
  await assertRejects(() => read({ stall: 100 }), HubError, "nothing came for 0.1 s");
  for (const connection of connections) connection.close();
});
