// Repositories of the Hub by name: what is fetched, from where, for whom, and what the cache then serves.
import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import {
  AutoImageProcessor,
  AutoTokenizer,
  Captioner,
  readImage,
  VisionEncoderDecoderConfig,
  VisionEncoderDecoderModel,
} from "../../mod.ts";
import { HubError, type HubErrorCode, OptionError } from "../../src/errors/mod.ts";
import { hubCacheFolder, hubToken } from "../../src/hub/environment.ts";
import { checkRevision, isHubName } from "../../src/hub/hub_name.ts";
import { openRepository } from "../../src/hub/mod.ts";
import { folderOf, namesIn, noise, withHub } from "./hub_fixture.ts";

const weights = noise(5 << 20);

Deno.test("a repository is read by its name, and the second time without a request", async () => {
  await withHub(async ({ server, cacheDir }) => {
    const commit = server.publish("org/name", {
      "config.json": "{}",
      "parts/a b.json": "[1]",
      "model.safetensors": weights,
      "flax_model.msgpack": noise(100),
    });
    const read = async (localFilesOnly: boolean) => {
      const repository = await openRepository("org/name", { endpoint: server.url, cacheDir, localFilesOnly });
      assertEquals(repository.name, "org/name");
      assertEquals(await repository.readText("config.json"), "{}");
      assertEquals(await repository.readText("parts/a b.json"), "[1]");
      assertEquals(await repository.readText("generation_config.json"), undefined);
      const file = (await repository.open("model.safetensors"))!;
      assertEquals(await file.read(0, file.size), weights);
    };
    await read(false);
    const files = server.requests.map(({ path }) => path.split("/").at(-1));
    assert(!files.includes("flax_model.msgpack"));
    server.requests.length = 0;
    await read(true);
    assertEquals(server.requests, []);
    await read(false); // the revision is looked up, and nothing else
    assertEquals(server.requests.map(({ path }) => path.split("/").at(-1)), ["config.json", "config.json"]);

    const folder = folderOf(cacheDir, "org/name");
    assertEquals(await Deno.readTextFile(`${folder}/refs/main`), commit);
    assertEquals(await namesIn(`${folder}/snapshots/${commit}`), ["config.json", "model.safetensors", "parts"]);
    assertEquals(await namesIn(`${folder}/.no_exist/${commit}`), ["generation_config.json"]);
    assertEquals(await namesIn(folder), [".no_exist", "blobs", "refs", "snapshots"]);
    assertEquals((await namesIn(`${folder}/blobs`)).length, 3);
    const link = await Deno.readLink(`${folder}/snapshots/${commit}/parts/a b.json`);
    assert(/^\.\.\/\.\.\/\.\.\/blobs\/[0-9a-f]{40}$/.test(link), link);
  });
});

Deno.test("a branch goes on to its new commit, a commit stays what it is, a tag has its own", async () => {
  await withHub(async ({ server, cacheDir, open }) => {
    const first = server.publish("org/name", { "config.json": "1" });
    server.publish("org/name", { "config.json": "pr" }, { branch: "refs/pr/1" });
    const read = async (revision?: string) => await (await open("org/name", { revision })).readText("config.json");
    assertEquals(await read(), "1");
    const second = server.publish("org/name", { "config.json": "2" });
    assertEquals([await read(), await read(first), await read("refs/pr/1")], ["2", "1", "pr"]);
    assertEquals(await Deno.readTextFile(`${folderOf(cacheDir, "org/name")}/refs/main`), second);
    server.requests.length = 0;
    assertEquals([await read(first), await read(second)], ["1", "2"]);
    assertEquals(server.requests, [], "commits do not change");
  });
});

Deno.test("what the Hub refuses is an error that says why, with a code", async () => {
  await withHub(async ({ server, open }) => {
    server.publish("org/open", { "config.json": "{}" });
    server.publish("org/hidden", { "config.json": "{}" }, { access: "private" });
    server.publish("org/gated", { "config.json": "{}" }, { access: "gated" });
    const cases: [name: string, token: string, code: HubErrorCode, message: string, revision?: string][] = [
      ["org/none", "", "not-found", "the Hub has no org/none, or it is private and hidden from whoever asks without"],
      ["org/none", "hf_valid", "not-found", "the Hub has no org/none"],
      ["org/hidden", "", "not-found", "or it is private"],
      ["org/gated", "", "not-allowed", `accept its terms at ${server.url}/org/gated`],
      ["org/gated", "hf_valid", "not-allowed", "not open to whoever the token belongs to"],
      ["org/open", "hf_wrong", "not-allowed", "the token was refused: Invalid credentials"],
      ["org/open", "", "not-found", "org/open has no branch, tag or commit v9", "v9"],
    ];
    for (const [name, token, code, message, revision] of cases) {
      const repository = await open(name, { token, revision });
      const error = await assertRejects(() => repository.readText("config.json"), HubError, message);
      assertEquals(error.code, code);
      assert(
        error.message.startsWith(`Cannot fetch ${server.url}/${name}/resolve/${revision ?? "main"}/config.json: `),
      );
      assert(token === "" || !Deno.inspect(error).includes(token), "the token is in the error");
    }
    assertEquals(await (await open("org/hidden", { token: "hf_valid" })).readText("config.json"), "{}");
    assertEquals(await (await open("org/gated", { token: "hf_accepted" })).readText("config.json"), "{}");
  });
});

Deno.test("a name that nobody has may have been meant for a folder: the message says that there is none either", async () => {
  await withHub(async ({ server, cacheDir, open }) => {
    const where = { endpoint: server.url, cacheDir, token: "" };
    const neither = "; nor is there a folder assets/modle on this machine";
    const load = (options: object) =>
      VisionEncoderDecoderModel.fromPretrained("assets/modle", { ...where, backend: "reference", ...options });
    const { message, code } = await assertRejects(() => load({}), HubError, "the Hub has no assets/modle");
    assert(message.endsWith(neither) && code === "not-found", message);
    const offline = await assertRejects(() => load({ localFilesOnly: true }), HubError, "localFilesOnly forbids");
    assert(offline.message.endsWith(neither), offline.message);
    for (const other of [() => load({ revision: "v1" }), async () => await (await open("assets/modle")).commit]) {
      const { message } = await assertRejects(other, HubError);
      assert(!message.includes("folder assets/modle"), message);
    }
  });
});

Deno.test("the token goes to the Hub's host, after redirects there too, and nowhere else", async () => {
  await withHub(async ({ server, open }) => {
    server.publish("org/new", { "config.json": "{}", "model.safetensors": weights });
    server.rename("org/old", "org/new");
    const repository = await open("org/old", { token: "hf_valid" });
    assertEquals(await repository.readText("config.json"), "{}");
    assertEquals((await repository.open("model.safetensors"))!.size, weights.length);
    const cdn = server.requests.filter(({ cdn }) => cdn);
    assert(cdn.length > 0 && cdn.every(({ authorization }) => authorization === null));
    const hub = server.requests.filter(({ cdn }) => !cdn);
    assert(hub.length > 4 && hub.every(({ authorization }) => authorization === "Bearer hf_valid"));
    assert(hub.some(({ path }) => path.startsWith("/api/resolve-cache/models/org/new/")));
  });
});

Deno.test("what is cached serves while the Hub cannot be reached, and says so", async () => {
  await withHub(async ({ server, cacheDir, open }) => {
    server.publish("org/name", { "config.json": "{}", "a.json": "1" });
    await (await open("org/name")).readText("config.json");
    const away = [() => new Response("", { status: 503 }), () => new Response("", { status: 429 })];
    for (const fault of away) {
      server.fault = fault;
      server.requests.length = 0;
      const repository = await open("org/name");
      assertEquals(await repository.readText("config.json"), "{}");
      assertEquals(server.requests.length, 1, "whoever has a cache does not wait");
      assertEquals(await repository.readText("a.json"), undefined);
      assert(repository.whyMissing()!.includes("the Hub cannot be reached"));
      const other = await open("org/other", { retryPolicy: { tries: 2, wait: 1 } });
      const error = await assertRejects(() => other.readText("config.json"), HubError, "it was tried 2 times");
      assertEquals(error.code, "network");
    }
    const closed = await open("org/name", { endpoint: "http://127.0.0.1:9" });
    assertEquals(await closed.readText("config.json"), "{}");
    const nothing = await open("org/other", { localFilesOnly: true });
    const error = await assertRejects(() => nothing.readText("config.json"), HubError, "localFilesOnly forbids");
    assert(error.message.includes(folderOf(cacheDir, "org/other")) && error.code === "not-found");
  });
});

Deno.test("where links are switched off, the snapshot has the file itself", async () => {
  await withHub(async ({ server, cacheDir, open }) => {
    const commit = server.publish("org/name", { "config.json": "{}", "model.safetensors": weights });
    Deno.env.set("HF_HUB_DISABLE_SYMLINKS", "1");
    try {
      for (let n = 0; n < 2; n++) {
        const file = (await (await open("org/name", { localFilesOnly: n === 1 })).open("model.safetensors"))!;
        assertEquals(await file.read(0, file.size), weights);
      }
    } finally {
      Deno.env.delete("HF_HUB_DISABLE_SYMLINKS");
    }
    const folder = folderOf(cacheDir, "org/name");
    assert((await Deno.lstat(`${folder}/snapshots/${commit}/model.safetensors`)).isFile);
    assertEquals(await namesIn(`${folder}/blobs`), []);
  });
});

Deno.test("the environment says where the cache is and who asks, in Python's order", async () => {
  const names = ["HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_HOME", "XDG_CACHE_HOME", "HOME"];
  const tokens = ["HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HF_TOKEN_PATH", "HF_HUB_DISABLE_IMPLICIT_TOKEN"];
  const before = new Map([...names, ...tokens].map((name) => [name, Deno.env.get(name)]));
  const home = await Deno.makeTempDir();
  try {
    for (const name of before.keys()) Deno.env.delete(name);
    Deno.env.set("HOME", "/home/me");
    assertEquals(hubCacheFolder(), "/home/me/.cache/huggingface/hub");
    Deno.env.set("XDG_CACHE_HOME", "/xdg");
    assertEquals(hubCacheFolder(), "/xdg/huggingface/hub");
    Deno.env.set("HF_HOME", "~/hf");
    assertEquals(hubCacheFolder(), "/home/me/hf/hub");
    Deno.env.set("HF_HUB_CACHE", "/cache");
    assertEquals(hubCacheFolder(), "/cache");

    Deno.env.set("HF_HOME", home);
    assertEquals(await hubToken(), undefined);
    await Deno.writeTextFile(`${home}/token`, "hf_file\n");
    assertEquals(await hubToken(), "hf_file");
    Deno.env.set("HF_TOKEN", "hf_given");
    assertEquals(await hubToken(), "hf_given");
    Deno.env.set("HF_HUB_DISABLE_IMPLICIT_TOKEN", "1");
    assertEquals(await hubToken(), undefined);
  } finally {
    for (const [name, value] of before) value === undefined ? Deno.env.delete(name) : Deno.env.set(name, value);
    await Deno.remove(home, { recursive: true });
  }
});

Deno.test("names and revisions that could lead out of the cache are none", () => {
  for (const name of ["gpt2", "org/name", "a.b/c_d-1"]) assert(isHubName(name), name);
  for (const name of ["../x", "a/../b", "/etc", "a/b/c", ".", "a--b", "-a", "a/b.git", "a\\b", "", "a/", "C:/x"]) {
    assert(!isHubName(name), name);
  }
  for (const revision of ["main", "v1.0", "refs/pr/12", "a".repeat(40)]) {
    assertEquals(checkRevision(revision), revision);
  }
  for (const revision of ["../main", "a/../b", "/a", "a//b", "", ".hidden", "a b", "a\\b", "a\0"]) {
    assertThrows(() => checkRevision(revision), OptionError, "expected a branch, a tag or a commit");
  }
});

Deno.test("everything that loads takes a name, and reads one repository of one commit", async () => {
  await withHub(async ({ server, cacheDir }) => {
    const folder = new URL("../../assets/model/", import.meta.url).pathname;
    const commit = await server.publishFolder("limner/line", folder);
    const options = { endpoint: server.url, cacheDir, backend: "reference" } as const;
    const picture = new URL("../../assets/examples/line.png", import.meta.url);
    await using captioner = await Captioner.load("limner/line", options);
    assertEquals(await captioner.caption(picture), "ninth century Zen master");
    const revisions = server.requests.map(({ path }) => /\/resolve\/([^/]+)/.exec(path)?.[1]).filter((it) => it);
    assertEquals(revisions.filter((revision) => revision !== commit), ["main"]);
    const files = server.requests.map(({ path }) => path).filter((path) => path.includes("/resolve/"));
    assertEquals(new Set(files).size, files.length, "a file was asked for twice");

    const offline = { ...options, localFilesOnly: true };
    server.requests.length = 0;
    await using model = await VisionEncoderDecoderModel.fromPretrained("limner/line", offline);
    const processor = await AutoImageProcessor.fromPretrained("limner/line", { cacheDir, localFilesOnly: true });
    const tokenizer = await AutoTokenizer.fromPretrained("limner/line", { cacheDir, localFilesOnly: true });
    const { pixelValues } = processor(await readImage(picture));
    const { sequences } = await model.generate(pixelValues);
    assertEquals(tokenizer.decode(sequences[0], { skipSpecialTokens: true }), "ninth century Zen master");
    const config = await VisionEncoderDecoderConfig.fromPretrained("limner/line", { cacheDir, localFilesOnly: true });
    assertEquals(config.toJSON(), model.config.toJSON());
    assertEquals(server.requests, []);

    // A model of the cache is saved elsewhere, and the cache stays what it is.
    await model.savePretrained(`${cacheDir}/saved`);
    await using saved = await Captioner.load("limner/line", offline);
    assertEquals(await saved.caption(picture), "ninth century Zen master");
  });
});
