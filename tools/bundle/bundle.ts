// A bundle of scripts and all that they import, by `deno bundle` with an import map that puts other files in the place of those that
// only Deno can run. Each script becomes a file of its own; what several import, and what is imported later, are files beside it.
import { bundledPackages, moduleBytes } from "./packages.ts";

/** The project's root. */
export const root = new URL("../../", import.meta.url);

/** A kind of runtime, and what is made for it. */
export interface BundleOptions {
  /** The scripts by their names in the output: modules that each imports, in order, and exports anew. */
  readonly scripts: Readonly<Record<string, readonly string[]>>;
  /** The runtime. */
  readonly platform: "browser" | "deno";
  /** A module that exports `compileModule(name)`, which compiles the output's file `wasm/NAME`. */
  readonly compiler: URL;
  /** Files that replace others, or modules of Node's, by their addresses or names. */
  readonly imports?: Readonly<Record<string, string>>;
  /** Whether names and blanks are shortened. @default false */
  readonly minify?: boolean;
}

/** What the library finds by an address beside its files, and where that is in the output. */
const places: Readonly<Record<string, string>> = {
  '"./image_worker.ts"': '"./image_worker.js"',
  '"./model_worker.ts"': '"./model_worker.js"',
  '"../../assets/model/"': '"./model/"',
};

/** Copy the embedded model, with a list of its files. */
async function copyModel(folder: string): Promise<void> {
  const names = (await Array.fromAsync(Deno.readDir(new URL("assets/model", root)))).map(({ name }) => name);
  const files = names.filter((name) => name !== "README.md").sort();
  for (const name of files) await Deno.copyFile(new URL(`assets/model/${name}`, root), `${folder}/${name}`);
  await Deno.writeTextFile(`${folder}/files.json`, JSON.stringify(files));
}

/**
 * Bundle scripts into a folder, which is made anew, with the embedded model and the WebAssembly of packages.
 *
 * @throws {Error} If Deno cannot bundle them, with what it says.
 */
export async function bundle(output: string, options: BundleOptions): Promise<void> {
  await Deno.remove(output, { recursive: true }).catch(() => {});
  for (const folder of ["wasm", "model"]) await Deno.mkdir(`${output}/${folder}`, { recursive: true });
  const scratch = await Deno.makeTempDir({ prefix: "limner_bundle_" });
  try {
    const { imports, modules } = await bundledPackages(scratch, options.compiler);
    const map = { imports: { ...imports, ...options.imports } };
    await Deno.writeTextFile(`${scratch}/import_map.json`, JSON.stringify(map));
    await runBundler(scratch, output, options);
    for (const [name, specifier] of modules) {
      await Deno.writeFile(`${output}/wasm/${name}`, await moduleBytes(specifier));
    }
  } finally {
    await Deno.remove(scratch, { recursive: true });
  }
  await correctPlaces(output, Object.keys(options.scripts));
  await copyModel(`${output}/model`);
}

async function runBundler(scratch: string, output: string, options: BundleOptions): Promise<void> {
  const files: string[] = [];
  for (const [name, modules] of Object.entries(options.scripts)) {
    const text = modules.map((module) => `export * from "${new URL(module, root)}";\n`).join("");
    files.push(`${scratch}/${name}.ts`);
    await Deno.writeTextFile(files.at(-1)!, text);
  }
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      ...["bundle", "--quiet", "--code-splitting", "--platform", options.platform, "--outdir", output],
      ...["--import-map", `${scratch}/import_map.json`, ...options.minify ? ["--minify"] : [], ...files],
    ],
    env: { NO_COLOR: "1" },
  }).output();
  if (!success) {
    throw new Error(`Cannot bundle:\n${[stdout, stderr].map((bytes) => new TextDecoder().decode(bytes)).join("")}`);
  }
}

async function correctPlaces(output: string, scripts: readonly string[]): Promise<void> {
  const found = new Set<string>();
  for await (const { name, isFile } of Deno.readDir(output)) {
    if (!isFile || !name.endsWith(".js")) continue;
    const text = await Deno.readTextFile(`${output}/${name}`);
    let changed = text;
    for (const [from, to] of Object.entries(places)) {
      if (changed.includes(from)) found.add(from);
      changed = changed.replaceAll(from, to);
    }
    if (changed !== text) await Deno.writeTextFile(`${output}/${name}`, changed);
  }
  // The model is always there, and a worker where it is bundled.
  const needed = Object.keys(places).filter((place) =>
    place.includes("model/") || scripts.some((name) => place.includes(`/${name}.`))
  );
  const lost = needed.filter((place) => !found.has(place));
  if (lost.length > 0) throw new Error(`Cannot bundle: no output names ${lost.join(", ")}`);
}
