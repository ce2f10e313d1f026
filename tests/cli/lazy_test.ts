// What is not asked for is not loaded: libonnxruntime (290 MB) comes only with the ffi backend, ImageMagick only with a TIFF,
// photon only with a GIF, a BMP or a drawing.
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
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

/** What only some need: the ends of packages' names, or of their scopes'. */
const rare = ["/onnxruntime-node", "/onnxruntime-common", "/onnxruntime-web", "/@imagemagick", "/@cf-wasm"];

const rareIn = (cache: string) => packagesIn(cache).filter((name) => rare.some((end) => name.endsWith(end)));

/** Run a script with a cache that holds all packages but the rare ones; tell which of these were fetched. */
async function fetches(args: string[]): Promise<string[]> {
  const folder = await Deno.makeTempDir({ prefix: "limner_cache_" });
  try {
    const cache = await npmCache();
    for (const name of packagesIn(cache).filter((name) => !rare.some((end) => name.endsWith(end)))) {
      await copyFolder(`${cache}/${name}`, `${folder}/npm/${name}`);
    }
    const { code, stderr } = await deno(args, { env: { DENO_DIR: folder } });
    assertEquals(code, 0, stderr);
    return rareIn(`${folder}/npm`);
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

Deno.test("an edge script that reads a picture and a tokenizer fetches neither libonnxruntime nor ImageMagick", async () => {
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
    assertEquals(await fetches([script]), []);
  } finally {
    await Deno.remove(script);
  }
});

for (const backend of testedBackends.filter((name) => name !== "ffi")) {
  Deno.test(`the ${backend} backend does not fetch libonnxruntime`, async () => {
    assertEquals(await fetches(["caption.ts", "--backend", backend, "assets/examples/line.png"]), []);
  });
}

Deno.test("the ffi backend does fetch libonnxruntime", async () => {
  const env = { LIMNER_ORT_LIBRARY: "" };
  const { code, stderr } = await deno(["caption.ts", "--backend", "ffi", "assets/examples/line.png"], { env });
  assertEquals(code, 0, stderr);
  assert(rareIn(await npmCache()).some((name) => name.endsWith("/onnxruntime-node")));
});

Deno.test("a TIFF whose library cannot be fetched is said to be so, and other pictures are read", async () => {
  const folder = await Deno.makeTempDir({ prefix: "limner_cache_" });
  try {
    await Deno.writeTextFile(
      `${folder}/script.ts`,
      `import { readImage } from "${new URL("../../src/image/mod.ts", import.meta.url)}";
      await readImage("tests/fixtures/images/scans/lines.tif").catch((error) => console.log(error.message));
      console.log((await readImage("tests/fixtures/images/scans/bytes.ppm")).width);`,
    );
    const env = { DENO_DIR: `${folder}/empty` };
    const { stdout, stderr } = await deno(["--cached-only", `${folder}/script.ts`], { env });
    const [said, width] = stdout.split("\n");
    assertStringIncludes(said, "scans/lines.tif: the library for TIFF does not load: ", stderr);
    assertEquals(width, "37");
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
