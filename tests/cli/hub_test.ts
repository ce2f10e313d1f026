// The command and a model that is on the Hub: by its name, fetched ahead, offline, and what it ends with where it may not
// be had.
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { caption, type Ended, root } from "./command_process.ts";
import { namesIn, noise, withHub } from "../hub/hub_fixture.ts";
import type { HubServer } from "../hub/hub_server.ts";

const line = "assets/examples/line.png";
const text = "ninth century Zen master\n";
const backend = ["--backend", "reference"];

/** Run a test with the embedded model on a Hub, and the command that asks there. */
async function withCommand(
  use: (place: {
    server: HubServer;
    cacheDir: string;
    run: (args: string[], env?: Record<string, string>) => Promise<Ended>;
  }) => Promise<void>,
): Promise<void> {
  await withHub(async ({ server, cacheDir }) => {
    await server.publishFolder("limner/line", `${root}assets/model`);
    const place = { HF_ENDPOINT: server.url, HF_HUB_CACHE: cacheDir, HF_HUB_OFFLINE: "", HF_TOKEN: "" };
    await use({ server, cacheDir, run: (args, env) => caption(args, { env: { ...place, ...env } }) });
  });
}

Deno.test("caption.ts --model NAME fetches a model, a line a file, and then needs no network", async () => {
  await withCommand(async ({ server, run }) => {
    const first = await run(["--model", "limner/line", ...backend, line]);
    assertEquals([first.stdout, first.code], [text, 0], first.stderr);
    const { length } = first.complaints;
    assertEquals(first.complaints.filter((said) => /^downloaded \S+, \S+ k?M?B in \d+ s$/.test(said)).length, length);
    assert(first.complaints.some((said) => said.startsWith("downloaded model.safetensors, ")), first.stderr);
    server.requests.length = 0;
    const second = await run(["--model", "limner/line", "--offline", ...backend, line]);
    assertEquals([second.stdout, second.stderr, second.code], [text, "", 0]);
    assertEquals(server.requests, []);
  });
});

Deno.test("caption.ts ends with 3 for what is not found, 4 for what is not allowed, 5 for the network", async () => {
  await withCommand(async ({ server, cacheDir, run }) => {
    server.publish("org/gated", { "config.json": "{}" }, { access: "gated" });
    const token = `${cacheDir}/token`;
    await Deno.writeTextFile(token, "hf_accepted\n");
    const cases: [args: string[], code: number, said: string, env?: Record<string, string>][] = [
      [["org/none"], 3, "the Hub has no org/none"],
      [["limner/line", "--revision", "v9"], 3, "limner/line has no branch, tag or commit v9"],
      [["limner/line", "--offline"], 3, "localFilesOnly forbids to ask the Hub"],
      [["nowhere/else/model"], 3, "there is no such folder"],
      [["org/gated"], 4, `accept its terms at ${server.url}/org/gated`],
      [["org/gated", "--token-file", token], 1, "model_type is missing"], // it may be had
      [["org/gated", "--token-file", `${cacheDir}/none`], 1, "there is no such file"],
      [["limner/line"], 5, "Connection refused", { HF_ENDPOINT: "http://127.0.0.1:8" }],
      [["limner/line", "--revision", "../x"], 2, "expected a branch, a tag or a commit"],
    ];
    for (const [[name, ...rest], code, said, env] of cases) {
      const ended = await run(["--model", name, ...rest, ...backend, line], env);
      assertEquals([ended.code, ended.stdout], [code, ""], ended.stderr);
      assertStringIncludes(ended.complaints.at(-1)!, said);
      assert(!ended.stderr.includes("hf_accepted"), "the token was printed");
    }
  });
});

Deno.test("caption.ts pull fetches a model and prints its folder, from which it loads by path too", async () => {
  await withCommand(async ({ server, cacheDir, run }) => {
    const pulled = await run(["pull", "limner/line"]);
    assertEquals(pulled.code, 0, pulled.stderr);
    const folder = pulled.stdout.trimEnd();
    assertStringIncludes(folder, `${cacheDir}/models--limner--line/snapshots/`);
    assert((await namesIn(folder)).includes("model.safetensors"));
    server.requests.length = 0;
    for (const model of ["limner/line", folder]) {
      const read = await run(["--model", model, ...backend, line], { HF_HUB_OFFLINE: "1" });
      assertEquals([read.stdout, read.stderr, read.code], [text, "", 0]);
    }
    assertEquals(server.requests, []);

    assertEquals((await run(["pull", "org/none"])).code, 3);
    assertEquals((await run(["pull"])).code, 2);
    assertStringIncludes((await run(["pull", "a", "b"])).stderr, "pull was given 2 arguments");
    assertStringIncludes((await run(["pull", "--revison", "v1", "a"])).stderr, "did you mean --revision?");
    assertStringIncludes((await run(["pull", "a/b/c"])).stderr, "expected a name such as organisation/model");
    assertStringIncludes((await run(["pull", "--help"])).stdout, "--token-file FILE");
  });
});

Deno.test("caption.ts pull fetches an encoder without a tokenizer, and says what it lacks", async () => {
  await withCommand(async ({ server, run }) => {
    const model = await Deno.readFile(`${root}assets/model/model.safetensors`);
    const processor = await Deno.readTextFile(`${root}assets/model/preprocessor_config.json`);
    server.publish("org/encoder", {
      "config.json": `{"model_type": "vit"}`,
      "model.safetensors": model,
      "pytorch_model.bin": noise(1000),
      "preprocessor_config.json": processor,
    });
    const { code, complaints, stdout } = await run(["pull", "org/encoder"]);
    assertEquals(code, 0, complaints.join("\n"));
    assertEquals(complaints.filter((said) => said.startsWith("note: ")).length, 1);
    assertEquals((await namesIn(stdout.trimEnd())).length, 3, "safetensors are enough");
  });
});

Deno.test({
  name: "caption.ts draws a bar a file with bytes, rate and time left on a terminal, and clears it",
  ignore: Deno.build.os !== "linux",
  async fn() {
    await withHub(async ({ server, cacheDir }) => {
      server.publish("org/large", { "config.json": "{}", "model.safetensors": noise(8 << 20) });
      server.rate = 4e6;
      const { stdout } = await new Deno.Command("script", {
        args: ["-qec", `'${Deno.execPath()}' run -A --quiet caption.ts pull org/large >/dev/null`, "/dev/null"],
        cwd: root,
        env: { HF_ENDPOINT: server.url, HF_HUB_CACHE: cacheDir, HF_HUB_OFFLINE: "", HF_TOKEN: "" },
        stdin: "null",
      }).output();
      const drawn = new TextDecoder().decode(stdout);
      assertMatch(drawn, /model\.safetensors \[=+ *\] \d\.\d MB of 8\.4 MB, \S+ [kM]B\/s, \d+ s left/);
      assert(!drawn.includes("downloaded"), "a line a file is for what is no terminal");
    });
  },
});

Deno.test("caption.ts pull fetches again what is damaged in the cache, and nothing else", async () => {
  await withCommand(async ({ server, cacheDir, run }) => {
    const pull = async () => await run(["pull", "limner/line"]);
    const folder = (await pull()).stdout.trim();
    const blobs = `${cacheDir}/models--limner--line/blobs`;
    const whole = await namesIn(blobs);
    for (const [file, damage] of [["model.safetensors", 1000], ["config.json", 0], ["tokenizer.json", 100]] as const) {
      await Deno.truncate(await Deno.realPath(`${folder}/${file}`), damage);
      server.requests.length = 0;
      const again = await pull();
      assertEquals([again.stdout, again.code], [`${folder}\n`, 0], again.stderr);
      assertEquals(again.complaints.length, 1, again.stderr);
      assertStringIncludes(again.stderr, `downloaded ${file}, `);
      assertEquals(await namesIn(blobs), whole);
      assertEquals((await run(["--model", "limner/line", "--offline", ...backend, line])).stdout, text);
    }
  });
});
