// Limner used from elsewhere, as whoever is not its author does: imported by a path or over http, and the command run over
// http or installed. All is run in an empty folder, without any configuration.
import { assertEquals } from "@std/assert";
import { deno, type Ended, execute, root } from "./cli/command_process.ts";
import { inFolder, servingProject } from "./served_project.ts";

const picture = "assets/examples/line.png";
const text = "ninth century Zen master\n";

/** Where JSR cannot be reached, the stand-in for the one package of it; it holds nothing else. */
const importMap = "tools/std/import_map.json";

/** @returns The environment with a cache in `folder` that holds npm packages, and no module that a port served before. */
async function freshCache(folder: string): Promise<Record<string, string>> {
  const cache = `${folder}/cache`;
  await Deno.mkdir(cache);
  const { npmCache } = JSON.parse((await execute(Deno.execPath(), ["info", "--json"])).stdout);
  await Deno.mkdir(npmCache, { recursive: true });
  await Deno.symlink(npmCache, `${cache}/npm`);
  return { DENO_DIR: cache };
}

/** Write a script into a folder. @returns Its path. */
async function writeScript(folder: string, code: string): Promise<string> {
  await Deno.writeTextFile(`${folder}/script.ts`, code);
  return `${folder}/script.ts`;
}

/** A script that reads the picture with the `mod.ts` under `base`. */
const readingScript = (base: string) =>
  `import { Captioner } from "${base}mod.ts";
await using captioner = await Captioner.load(undefined, { allowPrivateAddresses: true });
console.log(await captioner.caption("${base}${picture}"));
`;

/** A script that uses every package: it draws and encodes, and reads a picture of each format. */
const everyPackageScript = (base: string) =>
  `import { Captioner, drawAttention, encodePng, readImage } from "${base}mod.ts";
await using captioner = await Captioner.load(undefined, { backend: "reference", allowPrivateAddresses: true });
const [{ text, attention }] = await captioner.captions("${base}${picture}", { outputAttentions: true });
console.log(text);
await encodePng(await drawAttention(attention));
for (const name of ["optimised.jpg", "lossy.webp", "palette.gif"]) {
  const image = await readImage("${base}tests/fixtures/images/formats/" + name, { allowPrivateAddresses: true });
  if (!(image.width > 1)) throw new Error(name);
}
`;

function assertReads({ stdout, stderr, code }: Ended): void {
  assertEquals([stdout, code], [text, 0], stderr);
}

Deno.test("mod.ts reads a picture when it is imported by its path from an empty folder", async () => {
  await inFolder(async (folder) => {
    const script = await writeScript(folder, readingScript(root));
    assertReads(await deno([script], { cwd: folder }));
  });
});

Deno.test("deno check finds no fault in a script of an empty folder that imports mod.ts by its path", async () => {
  await inFolder(async (folder) => {
    const script = await writeScript(folder, readingScript(root));
    const { code, stderr } = await execute(Deno.execPath(), ["check", "--quiet", script], { cwd: folder });
    assertEquals(code, 0, stderr);
  });
});

Deno.test("mod.ts reads a picture when it is imported over http", async () => {
  await inFolder(async (folder) => {
    const env = await freshCache(folder);
    await servingProject(async (base) => {
      const script = await writeScript(folder, everyPackageScript(base));
      assertReads(await deno([script], { env, cwd: folder }));
    });
  });
});

Deno.test("caption.ts reads a picture when it is run over http", async () => {
  await inFolder(async (folder) => {
    const env = await freshCache(folder);
    const asked = await servingProject(async (base) => {
      const args = ["--import-map", base + importMap, `${base}caption.ts`, "--allow-private", base + picture];
      assertReads(await deno(args, { env, cwd: folder }));
      const { stdout, stderr } = await deno([...args.slice(0, 3), "--version"], { env, cwd: folder });
      assertEquals(stdout, `limner ${JSON.parse(await Deno.readTextFile(`${root}deno.json`)).version}\n`, stderr);
    });
    assertEquals(asked.includes("/assets/model/model.safetensors"), true);
  });
});

/** Install `caption.ts` under `base` from one folder, and run it in another. */
async function installAndRead(folder: string, base: string, env?: Record<string, string>): Promise<void> {
  const [from, to] = [`${folder}/from`, `${folder}/to`];
  await Deno.mkdir(from);
  await Deno.mkdir(to);
  const args = ["install", "--global", "-A", "--quiet", "--root", folder, "--name", "limner"];
  const installed = await execute(
    Deno.execPath(),
    [...args, "--import-map", base + importMap, `${base}caption.ts`],
    { env, cwd: from },
  );
  assertEquals(installed.code, 0, installed.stderr);
  // The command runs the Deno that the variable PATH finds: here the one that runs the tests.
  const denos = new URL(".", `file://${Deno.execPath()}`).pathname;
  const path = `${denos}:${Deno.env.get("PATH")}`;
  assertReads(
    await execute(`${folder}/bin/limner`, ["--allow-private", base + picture], {
      env: { ...env, PATH: path },
      cwd: to,
    }),
  );
}

Deno.test("deno install makes a command of caption.ts that reads a picture from another folder", async () => {
  await inFolder((folder) => installAndRead(folder, root));
});

Deno.test("deno install makes a command of caption.ts when it is given its address", async () => {
  await inFolder(async (folder) => {
    const env = await freshCache(folder);
    await servingProject((base) => installAndRead(folder, base, env));
  });
});
