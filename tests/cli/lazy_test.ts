// What is not asked for is not loaded: libonnxruntime (290 MB) comes only with the ffi backend.
import { assertEquals } from "@std/assert";
import { deno } from "./command_process.ts";
import { testedBackends } from "../backends/tested_backends.ts";

async function npmCache(): Promise<string> {
  const { stdout } = await new Deno.Command(Deno.execPath(), { args: ["info", "--json"] }).output();
  return JSON.parse(new TextDecoder().decode(stdout)).npmCache;
}

/** @returns The npm packages in a cache, `registry/name` or `registry/@scope`. */
function packagesIn(cache: string): string[] {
  const list = (path: string) => [...Deno.readDirSync(path)].filter((entry) => entry.isDirectory);
  return list(cache).flatMap((registry) =>
    list(`${cache}/${registry.name}`).map(({ name }) => `${registry.name}/${name}`)
  );
}

const holdsRuntime = (cache: string) => packagesIn(cache).some((name) => name.endsWith("/onnxruntime-node"));

/** Run a script with a cache that holds all packages but the runtime; tell whether the runtime was fetched. */
async function fetchesRuntime(args: string[]): Promise<boolean> {
  const folder = await Deno.makeTempDir({ prefix: "limner_cache_" });
  try {
    const cache = await npmCache();
    for (const name of packagesIn(cache).filter((name) => !name.includes("/onnxruntime"))) {
      await copyFolder(`${cache}/${name}`, `${folder}/npm/${name}`);
    }
    const { code, stderr } = await deno(args, { env: { DENO_DIR: folder } });
    assertEquals(code, 0, stderr);
    return holdsRuntime(`${folder}/npm`);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function copyFolder(from: string, to: string): Promise<void> {
  await Deno.mkdir(to, { recursive: true });
  for await (const entry of Deno.readDir(from)) {
    if (entry.isDirectory) await copyFolder(`${from}/${entry.name}`, `${to}/${entry.name}`);
    else await Deno.copyFile(`${from}/${entry.name}`, `${to}/${entry.name}`);
  }
}

Deno.test("an edge script that reads a picture and a tokenizer does not fetch libonnxruntime", async () => {
  const script = await Deno.makeTempFile({ suffix: ".ts" });
  try {
    await Deno.writeTextFile(
      script,
      `import { AutoImageProcessor, AutoTokenizer, readImage } from "${new URL("../../mod.ts", import.meta.url)}";
      const processor = await AutoImageProcessor.fromPretrained("assets/model");
      const { pixelValues } = processor(await readImage("assets/examples/line.png"));
      const tokenizer = await AutoTokenizer.fromPretrained("assets/model");
      if (pixelValues.size !== 3 * 32 * 512 || tokenizer.encode("Zen").inputIds.length === 0) Deno.exit(3);`,
    );
    assertEquals(await fetchesRuntime([script]), false);
  } finally {
    await Deno.remove(script);
  }
});

for (const backend of testedBackends.filter((name) => name !== "ffi")) {
  Deno.test(`the ${backend} backend does not fetch libonnxruntime`, async () => {
    assertEquals(await fetchesRuntime(["caption.ts", "--backend", backend, "assets/examples/line.png"]), false);
  });
}

Deno.test("the ffi backend does fetch libonnxruntime", async () => {
  const env = { LIMNER_ORT_LIBRARY: "" };
  const { code, stderr } = await deno(["caption.ts", "--backend", "ffi", "assets/examples/line.png"], { env });
  assertEquals(code, 0, stderr);
  assertEquals(holdsRuntime(await npmCache()), true);
});
