// What a repository has instead of a model, told from what the Hub or a server lists of it.
import { assert, assertEquals, assertRejects } from "@std/assert";
import { HubError, LimnerError, VisionEncoderDecoderModel } from "../../mod.ts";
import { HttpRepository } from "../../src/hub/http_repository.ts";
import { namesListed } from "../../src/hub/network/index_page.ts";
import { withHub } from "./hub_fixture.ts";

const config = await Deno.readTextFile(new URL("../fixtures/field/foreign_names/plain/config.json", import.meta.url));
const found: readonly [files: Readonly<Record<string, string>>, said: string][] = [
  [{ "adapter_config.json": '{"base_model_name_or_path": "base/model"}' }, "it is a LoRA adapter of base/model"],
  [{ "onnx/decoder.onnx": "", "onnx/encoder.onnx": "" }, "it has only ONNX files (onnx/)"],
  [{ "tf_model.h5": "" }, "it has only TensorFlow's tf_model.h5"],
  [{ "flax_model.msgpack": "" }, "it has only Flax's flax_model.msgpack"],
  [{ "model-00001-of-00002.safetensors": "" }, "model-00001-of-00002.safetensors is shards without their index"],
  [{ "checkpoint-5/config.json": "", "checkpoint-9/config.json": "" }, "checkpoints checkpoint-5, checkpoint-9"],
];

async function messageOf(source: string, options: object = {}): Promise<string> {
  const load = () => VisionEncoderDecoderModel.fromPretrained(source, { backend: "reference", ...options });
  const { message } = await assertRejects(load, LimnerError);
  assert(!message.includes("\n") && message.length < 600, message);
  return message;
}

for (const [files, said] of found) {
  Deno.test(`a name on the Hub with only ${Object.keys(files)} is said to be so`, async () => {
    await withHub(async ({ server, cacheDir }) => {
      const options = { endpoint: server.url, cacheDir, token: "" };
      server.publish("org/model", { "config.json": config, ...files });
      const message = await messageOf("org/model", options);
      assert(message.includes(said), message);
      server.publish("org/bare", files);
      assert((await messageOf("org/bare", options)).includes(said));
    });
  });
}

Deno.test("what is missed of a Hub that lists nothing, or is away, is said all the same", async () => {
  await withHub(async ({ server, cacheDir }) => {
    server.publish("org/model", { "config.json": config, "tf_model.h5": "" });
    const options = { endpoint: server.url, cacheDir, token: "" };
    const lists = [
      () => new Response("{", { status: 200 }),
      () => Response.json(null),
      () => Response.json({ siblings: [{ rfilename: 5 }, null] }),
      () => new Response("", { status: 403 }),
      () => new Response(null, { status: 307, headers: { location: "http://elsewhere.example/" } }),
    ];
    for (const list of lists) {
      server.fault = ({ path }) => path.startsWith("/api/models/") ? list() : undefined;
      const message = await messageOf("org/model", options);
      assert(message.includes("it has none of model.safetensors"), message);
    }
    const offline = await messageOf("org/model", { ...options, localFilesOnly: true });
    assert(offline.includes("it has none of") && offline.includes("no request may be made"), offline);
  });
});

/** The pages by which servers list a folder. */
const pages: Readonly<Record<string, (names: readonly string[]) => string>> = {
  "Python's http.server": (names) =>
    `<!DOCTYPE HTML>\n<html lang="en">\n<head>\n<title>Directory listing for /m/</title>\n</head>\n<body>\n<ul>\n${
      names.map((name) => `<li><a href="${encodeURI(name)}">${name}</a></li>`).join("\n")
    }\n</ul>\n</body>\n</html>`,
  "nginx": (names) =>
    `<html>\r\n<head><title>Index of /m/</title></head>\r\n<body>\r\n<h1>Index of /m/</h1><hr><pre><a href="../">../</a>\r\n${
      names.map((name) => `<a href="${name}">${name}</a>   01-Jan-2026 10:00    12`).join("\r\n")
    }\r\n</pre></body></html>`,
  "Apache": (names) =>
    `<!DOCTYPE HTML PUBLIC "-//W3C//DTD HTML 3.2 Final//EN">\n<html><body><table><tr><th><a href="?C=N;O=D">Name</a></th>` +
    `</tr><tr><td><a href="/">Parent Directory</a></td></tr>${
      names.map((name) => `<tr><td><A class='x' HREF='/m/${name}'>${name}</A></td></tr>`).join("")
    }</table></body></html>`,
  "Caddy": (names) =>
    `<!doctype html><html><body>${names.map((name) => `<a href=./${name}>${name}</a>`)}</body></html>`,
};
for (const [server, page] of Object.entries(pages)) {
  Deno.test(`an address with only ONNX files is said to be so where ${server} lists its folder`, async () => {
    await using listening = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, (request) => {
      const { pathname } = new URL(request.url);
      if (pathname === "/m/config.json") return new Response(config);
      if (pathname !== "/m/") return new Response("", { status: 404 });
      return new Response(page(["config.json", "onnx/", "a%20b.txt"]), { headers: { "content-type": "text/html" } });
    });
    const address = `http://127.0.0.1:${listening.addr.port}/m`;
    const message = await messageOf(address);
    assert(message.includes("it has only ONNX files (onnx/)"), message);
    assertEquals((await new HttpRepository(new URL(address)).list()).sort(), [
      server.startsWith("Python") ? "a%20b.txt" : "a b.txt",
      "config.json",
      "onnx/",
    ]);
  });
}

Deno.test("what is missed of an address that lists nothing is said all the same", async () => {
  const answers = [
    () => new Response("", { status: 404 }),
    () => new Response("", { status: 403 }),
    () => new Response("no page"),
    () => new Response("<html>" + "x".repeat(5 << 20)),
  ];
  for (const answer of answers) {
    await using listening = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, (request) => {
      const { pathname } = new URL(request.url);
      return pathname === "/config.json"
        ? new Response(config)
        : pathname === "/"
        ? answer()
        : new Response("", { status: 404 });
    });
    const message = await messageOf(`http://127.0.0.1:${listening.addr.port}/`);
    assert(message.includes("it has none of model.safetensors"), message);
  }
});

Deno.test("namesListed() takes links within the folder only, each once", () => {
  const links = ["a", "./a", "b/", "b/c", "/x/", "https://elsewhere.example/m/d", "?q", "#e", "..", "%zz", "f?g=1", ""];
  const page = `<!doctype html>${links.map((link) => `<a href="${link}">x</a>`).join("")}<img src="p"><a name="q">`;
  assertEquals(namesListed(page, new URL("http://server.example/m/")), ["a", "b/", "f"]);
});

Deno.test("list() of the Hub names files and first folders", async () => {
  await withHub(async ({ server, open }) => {
    server.publish("org/model", { "config.json": "{}", "a/b.json": "1", "a/c/d.json": "2", "e f.txt": "3" });
    server.rename("org/old", "org/model");
    for (const name of ["org/model", "org/old"]) {
      assertEquals((await (await open(name)).list()).sort(), ["a/", "config.json", "e f.txt"]);
    }
    await (await open("org/model")).readText("config.json");
    assertEquals(await (await open("org/model", { localFilesOnly: true })).list(), ["config.json"]);
    await assertRejects(async () => await (await open("org/none")).list(), HubError, "the Hub has no org/none");
  });
});
