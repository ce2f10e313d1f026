// The package as whoever installs it gets it: what its entry points load, how much is fetched, and how large it is.
import { assert, assertEquals } from "@std/assert";
import { deno, execute, root } from "./cli/command_process.ts";
import { inFolder, servingProject } from "./served_project.ts";

interface ModuleGraph {
  readonly roots: readonly string[];
  readonly modules: readonly {
    readonly specifier: string;
    readonly dependencies?: readonly {
      readonly code?: { readonly specifier: string };
      readonly isDynamic?: boolean;
    }[];
  }[];
  readonly npmPackages: Readonly<Record<string, unknown>>;
}

async function graphOf(file: string): Promise<ModuleGraph> {
  const { stdout, stderr } = await execute(Deno.execPath(), ["info", "--json", root + file]);
  if (!stdout) throw new Error(stderr);
  return JSON.parse(stdout);
}

/** The modules that an import of the root loads, without those that are imported later. */
function loadedBy({ roots, modules }: ModuleGraph): Set<string> {
  const byName = new Map(modules.map((module) => [module.specifier, module]));
  const found = new Set<string>(roots);
  for (const name of found) {
    for (const { code, isDynamic } of byName.get(name)?.dependencies ?? []) {
      if (code && !isDynamic) found.add(code.specifier);
    }
  }
  return found;
}

const { exports: entries } = JSON.parse(await Deno.readTextFile(`${root}deno.json`)) as {
  exports: Readonly<Record<string, string>>;
};

Deno.test("an import of the package loads no backend, and nothing names ONNX Runtime's package", async () => {
  const graph = await graphOf("mod.ts");
  const loaded = [...loadedBy(graph)].map((name) => name.replace(`file://${root}`, ""));
  assert(loaded.length > 200, `${loaded.length} modules`);
  // The second looks whether Linux has files of a GPU.
  const own = ["backends/load_backend.ts", "backends/measured/graphics_devices.ts"];
  assertEquals(loaded.filter((name) => name.startsWith("backends/")), own);
  assertEquals(Object.keys(graph.npmPackages).filter((name) => name.includes("onnxruntime")), []);
  // What would find them does find them.
  const webgpu = loadedBy(await graphOf(entries["./webgpu"]));
  assert([...webgpu].some((name) => name.endsWith("/backends/webgpu/backend.ts")));
});

Deno.test("neither the package nor the command on a picture loads Node's modules, which take 20 ms", async () => {
  const nodes = async (file: string) => [...loadedBy(await graphOf(file))].filter((name) => name.startsWith("node:"));
  for (const file of ["mod.ts", "caption.ts", "src/cli/read_pictures.ts", "backends/ffi/mod.ts"]) {
    assertEquals(await nodes(file), [], file);
  }
  // What would find them does find them.
  assertEquals((await nodes("src/hub/cache/content_hash.ts")).length, 1);
});

Deno.test("each entry point is documented: its module with an example, and all that it exports", async () => {
  const { tasks } = JSON.parse(await Deno.readTextFile(`${root}deno.json`));
  for (const [name, file] of Object.entries(entries)) {
    assert(tasks["check:docs"].includes(` ${file.slice(2)}`), `deno task check:docs does not look at ${name}`);
    const { stdout } = await execute(Deno.execPath(), ["doc", "--json", root + file]);
    assert(/"tags":\s*\[\s*\{\s*"kind":\s*"example"/.test(stdout.slice(0, stdout.indexOf("symbols"))), name);
  }
});

Deno.test("a backend of an entry point of its own runs a captioner", async () => {
  await inFolder(async (folder) => {
    await Deno.writeTextFile(
      `${folder}/script.ts`,
      `import { load } from "${root}${entries["./ffi"].slice(2)}";
import { Captioner } from "${root}mod.ts";
await using captioner = await Captioner.load(undefined, { backend: await load() });
console.log(captioner.model.backend.name, await captioner.caption("${root}assets/examples/date.png"));`,
    );
    const { stdout, stderr } = await deno([`${folder}/script.ts`], { cwd: folder });
    assertEquals(stdout, "ffi 2/8/2021\n", stderr);
  });
});

/** About as many bytes as the files of a folder take in an archive. */
async function packedSize(folder: string): Promise<number> {
  const bytes: Uint8Array<ArrayBuffer>[] = [];
  const visit = async (path: string): Promise<void> => {
    for await (const { name, isDirectory } of Deno.readDir(path)) {
      if (isDirectory) await visit(`${path}/${name}`);
      else bytes.push(await Deno.readFile(`${path}/${name}`));
    }
  };
  await visit(folder);
  const packed = new Blob(bytes).stream().pipeThrough(new CompressionStream("gzip"));
  return (await new Response(packed).bytes()).length;
}

Deno.test("an import from an empty cache fetches 3 MB at most", async () => {
  await inFolder(async (folder) => {
    let bytes = 0;
    await servingProject(async (base) => {
      const script = `${folder}/script.ts`;
      await Deno.writeTextFile(script, `import { Captioner } from "${base}mod.ts";\nconsole.log(typeof Captioner);`);
      const { stdout, stderr } = await deno([script], { cwd: folder, env: { DENO_DIR: `${folder}/cache` } });
      assertEquals(stdout, "function\n", stderr);
    }, (served) => bytes += served);
    const packages = await packedSize(`${folder}/cache/npm`);
    assert(bytes > 1e6 && packages > 1e5, `${bytes} bytes of sources, ${packages} of packages`);
    assert(bytes + packages <= 3e6, `${bytes} bytes of sources, ${packages} of packages`);
  });
});

Deno.test("an import takes less than 400 ms of processor time where all is cached", async () => {
  await inFolder(async (folder) => {
    const timed = async (code: string) => {
      const script = `${folder}/script.ts`;
      await Deno.writeTextFile(
        script,
        `${code}\nimport process from "node:process";\nconst { user, system } = process.cpuUsage();
console.log((user + system) / 1000);`,
      );
      return Number((await deno(["--no-check", script], { cwd: folder })).stdout);
    };
    const [nothing, all]: number[][] = [[], []];
    for (let i = 0; i < 5; i++) {
      nothing.push(await timed(""));
      all.push(await timed(`import "${root}mod.ts";`));
    }
    const more = Math.min(...all.slice(1)) - Math.min(...nothing.slice(1));
    assert(more > 20 && more < 400, `${more} ms`);
  });
});

Deno.test("the package has less than 20 MB, and what it needs", async () => {
  const args = ["publish", "--dry-run", "--allow-dirty", "--no-check"];
  const { code, stdout, stderr } = await execute(Deno.execPath(), args);
  assertEquals(code, 0, stderr);
  const units = { B: 1, KB: 1e3, MB: 1e6 };
  const files = [...(stdout + stderr).matchAll(/file:\/\/\S*?([^/\s]+) \(([\d.]+)(B|KB|MB)\)/g)];
  const bytes = files.reduce((sum, [, , size, unit]) => sum + Number(size) * units[unit as keyof typeof units], 0);
  assert(bytes > 1e6 && bytes < 20e6, `${bytes} bytes in ${files.length} files`);
  for (const name of ["mod.ts", "caption.ts", "model.safetensors", "image_worker.ts"]) {
    assert(files.some(([, file]) => file === name), name);
  }
});
