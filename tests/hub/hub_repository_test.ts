// Repositories: folders, file: URLs and http addresses give the same bytes; what is not there or leads out is refused.
import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { FormatError, HubError, OptionError } from "../../src/errors/mod.ts";
import { MemorySource, openRepository, toPath } from "../../src/hub/mod.ts";
import type { Timeouts } from "../../src/hub/network/timeouts.ts";
import { writing } from "../tcp_server.ts";

async function withFolder(run: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "limner hub ü " });
  try {
    await Deno.writeTextFile(`${folder}/config.json`, '{"a": "ü"}');
    await Deno.writeFile(`${folder}/weights.bin`, Uint8Array.from({ length: 1 << 20 }, (_, i) => i * 7));
    await Deno.mkdir(`${folder}/sub`);
    await Deno.writeFile(`${folder}/sub/latin1.txt`, new Uint8Array([0xe9]));
    await run(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

function serve(folder: string): Deno.HttpServer<Deno.NetAddr> {
  return Deno.serve({ port: 0, hostname: "127.0.0.1", onListen: () => {} }, async (request) => {
    const path = decodeURIComponent(new URL(request.url).pathname);
    if (path === "/repo/broken") return new Response("no", { status: 500 });
    try {
      return new Response(await Deno.readFile(folder + path.replace("/repo", "")));
    } catch {
      return new Response("none", { status: 404 });
    }
  });
}

Deno.test("openRepository() reads a folder by path and by file: URL", async () => {
  await withFolder(async (folder) => {
    for (
      const source of [folder, `${folder}/`, new URL(`file://${encodeURI(folder)}`), `file://${encodeURI(folder)}/`]
    ) {
      const repository = await openRepository(source);
      assertEquals(await repository.readText("config.json"), '{"a": "ü"}');
      assertEquals(await repository.readText("nothing.json"), undefined);
      assertEquals(await repository.readBytes("config.json/x"), undefined);
      const file = await repository.open("weights.bin");
      assertEquals(file?.size, 1 << 20);
      assertEquals(file?.path, await Deno.realPath(`${folder}/weights.bin`));
      assertEquals(await file!.read(3, 4), new Uint8Array([21, 28, 35, 42]));
      assertEquals((await file!.read(1, (1 << 20) - 1)).at(-1), ((1 << 20) - 1) * 7 & 255);
    }
  });
});

Deno.test("openRepository() resolves symbolic links to the real file", async () => {
  await withFolder(async (folder) => {
    await Deno.mkdir(`${folder}/snapshot`);
    await Deno.symlink("../weights.bin", `${folder}/snapshot/model.bin`);
    const file = await (await openRepository(`${folder}/snapshot`)).open("model.bin");
    assertEquals(file?.path, await Deno.realPath(`${folder}/weights.bin`));
  });
});

Deno.test("openRepository() refuses what is no folder", async () => {
  await withFolder(async (folder) => {
    const missing = await assertRejects(() => openRepository(`${folder}/none`), HubError, "there is no such folder");
    assert(missing.message.includes(`${folder}/none`) && !missing.message.includes("\n"));
    await assertRejects(() => openRepository(`${folder}/config.json`), HubError, "it is a file");
    await assertRejects(() => openRepository(new URL("ftp://localhost/x")), HubError, "ftp:");
    await assertRejects(() => openRepository("ftp://localhost/x"), HubError, "expected file:, http: or https:");
    await assertRejects(() => openRepository("http://["), HubError, "no valid address");
    await assertRejects(() => openRepository("someone/some/model"), HubError, "there is no such folder");
    await assertRejects(() => openRepository(folder, { revision: "v1" }), OptionError, "nothing else has revisions");
  });
});

Deno.test("a repository refuses names that lead out of it", async () => {
  await withFolder(async (folder) => {
    const repository = await openRepository(`${folder}/sub`);
    for (
      const name of ["../config.json", "/etc/hostname", "a/../../config.json", "..", "", "..\\config.json", "C:/x"]
    ) {
      await assertRejects(() => repository.open(name), HubError, "must lie inside the repository");
    }
    await assertRejects(() => repository.readText("latin1.txt"), FormatError, "latin1.txt: it is not UTF-8");
  });
});

Deno.test("a file refuses ranges outside of it, and reading on after it was replaced", async () => {
  await withFolder(async (folder) => {
    const file = (await (await openRepository(folder)).open("weights.bin"))!;
    for (const [offset, length] of [[0, file.size + 1], [-1, 2], [file.size, 1], [0.5, 1], [0, NaN], [2 ** 60, 1]]) {
      await assertRejects(() => file.read(offset, length), HubError, "weights.bin");
    }
    assertEquals((await file.read(file.size, 0)).length, 0);
    await Deno.writeFile(`${folder}/other`, new Uint8Array(1 << 20));
    await Deno.rename(`${folder}/other`, `${folder}/weights.bin`);
    await assertRejects(() => file.read(0, 1), HubError, "changed or replaced");
    await Deno.remove(`${folder}/weights.bin`);
    await assertRejects(() => file.read(0, 1), HubError, "weights.bin");
  });
});

Deno.test("openRepository() reads files under an http address", async () => {
  await withFolder(async (folder) => {
    await using server = serve(folder);
    const seen: number[] = [];
    for (const slash of ["", "/"]) {
      const repository = await openRepository(`http://127.0.0.1:${server.addr.port}/repo${slash}`, {
        onProgress: ({ done, total }) => seen.push(done / total!),
      });
      assertEquals(await repository.readText("config.json"), '{"a": "ü"}');
      assertEquals(await repository.open("nothing.json"), undefined);
      const file = await repository.open("weights.bin");
      assertEquals([file?.size, file?.path], [1 << 20, undefined]);
      assertEquals(await file!.read(3, 4), new Uint8Array([21, 28, 35, 42]));
      assertEquals((await file!.read(1, (1 << 20) - 1)).at(-1), ((1 << 20) - 1) * 7 & 255);
      await assertRejects(() => repository.open("broken"), HubError, "answered 500");
      await assertRejects(() => repository.open("../x"), HubError, "must lie inside");
      assertEquals(await repository.readBytes("weights.bin"), await Deno.readFile(`${folder}/weights.bin`));
    }
    assertEquals(seen.at(-1), 1);
  });
});

Deno.test("openRepository() reports a server that is not there, and an abort", async () => {
  const gone = await openRepository("http://127.0.0.1:9/repo");
  await assertRejects(() => gone.readText("config.json"), HubError, "http://127.0.0.1:9/repo/config.json");
  const stopped = await openRepository("http://127.0.0.1:9/repo", { signal: AbortSignal.abort() });
  await assertRejects(() => stopped.readText("config.json"), DOMException);
});

/** A server that answers each request with these bytes and then keeps or closes the connection. */
function answering(reply: string, then: "keep" | "close"): ReturnType<typeof writing> {
  return writing(async (connection) => {
    await connection.write(new TextEncoder().encode(reply.replaceAll("\n", "\r\n")));
    if (then === "close") connection.close();
  });
}

Deno.test("a server that is silent, lies or breaks off gives an error that says so, never a hang", async () => {
  // What keeps its connection has the time limit that is meant, and no other that a busy machine might reach before.
  const cases: [reply: string, then: Timeouts | "close", message: string][] = [
    ["", { answer: 100 }, "no answer came for 0.1 s"],
    ["HTTP/1.1 200 OK\nContent-Length: 9\n\n{", { stall: 2000 }, "after 1 bytes, nothing came for 2 s"],
    ["HTTP/1.1 200 OK\nContent-Length: 9\n\n{", "close", "after 1 bytes, error reading a body"],
    ["HTTP/1.1 200 OK\nContent-Length: 999999999999999\n\n{", "close", "config.json: it has more than the"],
    ["HTTP/1.1 200 OK\nContent-Length: -1\n\n{", "close", ""],
    ["HTTP/1.1 200 OK\nContent-Encoding: gzip\nContent-Length: 2\n\n{}", "close", ""],
    ["HTTP/1.1 206 Partial Content\nContent-Length: 1\n\n{", "close", "the server answered 206"],
    ["HTTP/1.1 401 Unauthorized\nContent-Length: 0\n\n", "close", "the server answered 401"],
    ["HTTP/1.1 302 Found\nLocation: /config.json\nContent-Length: 0\n\n", "close", "redirects"],
    ["HTTP/1.1 302 Found\nLocation: file:///etc/hostname\nContent-Length: 0\n\n", "close", "redirect"],
    ["no HTTP\n\n", "close", ""],
    ["", "close", ""],
  ];
  for (const [reply, then, message] of cases) {
    using server = answering(reply, then === "close" ? "close" : "keep");
    const repository = await openRepository(server.url, then === "close" ? {} : { timeouts: then });
    const error = await assertRejects(() => repository.readText("config.json"), HubError, message);
    assert(error.message.startsWith(`Cannot fetch ${server.url}config.json: `), error.message);
    assert(!error.message.endsWith("fetch failed"), "the reason is missing");
  }
});

Deno.test("a download ends when its signal says so", async () => {
  using server = answering("HTTP/1.1 200 OK\nContent-Length: 9\n\n{", "keep");
  const controller = new AbortController();
  const repository = await openRepository(server.url, {
    signal: controller.signal,
    onProgress: () => controller.abort(new Error("enough")),
  });
  await assertRejects(() => repository.open("model.safetensors"), Error, "enough");
});

Deno.test("what is no file, or far too long to be read as a whole, is refused", async () => {
  await withFolder(async (folder) => {
    using huge = await Deno.create(`${folder}/tokenizer.json`);
    await huge.truncate(2 ** 40); // a hole, which takes no space
    const repository = await openRepository(folder);
    await assertRejects(
      () => repository.readText("tokenizer.json"),
      HubError,
      "tokenizer.json: it has 1099511627776 bytes",
    );
    await assertRejects(() => repository.readText("sub"), HubError, "sub: it is not a file");
    if (Deno.build.os === "windows") return;
    await new Deno.Command("mkfifo", { args: [`${folder}/vocab.json`] }).output();
    await assertRejects(() => repository.readText("vocab.json"), HubError, "vocab.json: it is not a file");
    await Deno.symlink("loop.json", `${folder}/loop.json`);
    await assertRejects(() => repository.readText("loop.json"), HubError, "loop.json");
  });
});

Deno.test("a file in pieces is read across their borders", async () => {
  const whole = Uint8Array.from({ length: 20 }, (_, i) => i);
  const source = new MemorySource("x", [
    whole.subarray(0, 7),
    new Uint8Array(),
    whole.subarray(7, 8),
    whole.subarray(8),
  ]);
  assertEquals(source.size, 20);
  for (let begin = 0; begin <= 20; begin++) {
    for (let end = begin; end <= 20; end++) {
      assertEquals(await source.read(begin, end - begin), whole.slice(begin, end));
    }
  }
  await assertRejects(() => source.read(19, 2), HubError);
});

Deno.test("toPath() takes paths and file: URLs, and refuses others", () => {
  assertEquals(toPath("a/b c%20"), "a/b c%20");
  assertEquals(toPath("a:b"), "a:b");
  if (Deno.build.os === "windows") {
    assertEquals(toPath("file:///C:/a%20b"), "C:/a b");
    assertEquals(toPath("C:\\a"), "C:\\a");
  } else {
    assertEquals(toPath(new URL("file:///a%20b/%C3%BC")), "/a b/ü");
    assertThrows(() => toPath("file://server/a"), HubError, "the host server");
  }
  assertThrows(() => toPath("file:///%FF"), HubError, "escapes");
  assertThrows(() => toPath("https://localhost/a"), HubError, "its scheme is https:");
});
