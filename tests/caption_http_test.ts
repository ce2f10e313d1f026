// Limner imported over http, as it is from a registry: the tree is served on localhost, and nothing of it is a file.
import { assertEquals } from "@std/assert";
import { deno, root } from "./caption_process.ts";

/** Serve the project's folder while `use` runs; collects the paths that were asked for. */
async function serving(use: (base: string, folder: string) => Promise<void>): Promise<string[]> {
  const asked: string[] = [];
  const server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, async (request) => {
    const { pathname } = new URL(request.url);
    asked.push(pathname);
    try {
      const type = pathname.endsWith(".ts") ? "application/typescript" : "application/octet-stream";
      const file = await Deno.open(root + pathname.slice(1));
      return new Response(file.readable, {
        headers: { "content-type": pathname.endsWith(".json") ? "application/json" : type },
      });
    } catch {
      return new Response("not found", { status: 404 });
    }
  });
  const folder = await Deno.makeTempDir({ prefix: "limner_http_" });
  try {
    await use(`http://127.0.0.1:${server.addr.port}/`, folder);
  } finally {
    await server.shutdown();
    await Deno.remove(folder, { recursive: true });
  }
  return asked;
}

/** The served stand-in for the one package of JSR, and a cache of modules of its own. */
async function prepare(base: string, folder: string): Promise<Record<string, string>> {
  const imports = { "jsr:@std/cli@^1/parse-args": `${base}tools/std/cli/parse_args.ts` };
  await Deno.writeTextFile(`${folder}/import_map.json`, JSON.stringify({ imports }));
  await Deno.mkdir(`${folder}/cache`);
  const { stdout } = await new Deno.Command(Deno.execPath(), { args: ["info", "--json"] }).output();
  const { npmCache } = JSON.parse(new TextDecoder().decode(stdout));
  await Deno.mkdir(npmCache, { recursive: true });
  await Deno.symlink(npmCache, `${folder}/cache/npm`);
  return { DENO_DIR: `${folder}/cache` };
}

Deno.test("caption.ts reads a picture when it is run over http", async () => {
  const asked = await serving(async (base, folder) => {
    const env = await prepare(base, folder);
    const args = ["--import-map", `${folder}/import_map.json`, `${base}caption.ts`, `${root}assets/examples/line.png`];
    const { code, stdout, stderr } = await deno(args, { env, cwd: folder });
    assertEquals([stdout, code], ["ninth century Zen master\n", 0], stderr);
  });
  assertEquals(asked.includes("/assets/model/model.safetensors"), true);
});

Deno.test("mod.ts reads a picture when it is imported over http", async () => {
  await serving(async (base, folder) => {
    const env = await prepare(base, folder);
    const script = `import { Captioner } from "${base}mod.ts";
      await using captioner = await Captioner.load(undefined, { backend: "reference" });
      console.log(await captioner.caption("${base}assets/examples/line.png"));`;
    await Deno.writeTextFile(`${folder}/script.ts`, script);
    const args = [`${folder}/script.ts`];
    const { code, stdout, stderr } = await deno(args, { env, cwd: folder });
    assertEquals([stdout, code], ["ninth century Zen master\n", 0], stderr);
  });
});
