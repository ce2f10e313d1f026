// The files of src/packages for platforms other than Deno: bundlers know neither WebAssembly as an import nor a package whose name
// is computed. Each is written anew with the name spelt out, and with a call of `compileModule` for WebAssembly.
import { pathToFileURL } from "node:url";

const packages = new URL("../../src/packages/", import.meta.url);

/** What a bundle needs of the packages. */
export interface BundledPackages {
  /** Entries of an import map, by the addresses of the files that they replace. */
  readonly imports: Readonly<Record<string, string>>;
  /** The specifiers of WebAssembly, such as `npm:name@1.2.3/file.wasm`, by the names under which it is asked for. */
  readonly modules: ReadonlyMap<string, string>;
}

/** A name for a file of a package that says its version. */
function moduleName(specifier: string): string {
  return specifier.replace(/^npm:@?/, "").replaceAll(/[/@]/g, "-");
}

/**
 * Rewrite a file of src/packages.
 *
 * @param compiler The address of a module that exports `compileModule(name)`.
 * @param modules Receives the WebAssembly that it names.
 */
export function rewritePackage(source: string, compiler: string, modules: Map<string, string>): string {
  const [, name, version] = /\["(npm:[^"]+)", ("[^"]+"|version)\]\.join\("@"\)/.exec(source) ?? [];
  const number = version === "version" ? /const version = ("[^"]+")/.exec(source)![1] : version;
  const whole = name && `${name}@${JSON.parse(number)}`;
  let text = source;
  if (whole) {
    text = text.replaceAll(/`\$\{packageName\}([^`]*)`/g, `"${whole}$1"`).replaceAll(
      "import(packageName)",
      `import("${whole}")`,
    );
  }
  text = text.replaceAll(/import\.source\("([^"]+)"\)/g, (_, specifier: string) => {
    modules.set(moduleName(specifier), specifier);
    return `compileModule("${moduleName(specifier)}")`;
  });
  if (/import\.source|import\([^"]/.test(text)) {
    throw new Error(`Cannot bundle a package: an import is not understood in\n${text}`);
  }
  return text === source ? source : `import { compileModule } from "${compiler}";\n${text}`;
}

/**
 * Write the packages that need it into a folder.
 *
 * @param folder Where they are written.
 * @param compiler The module that exports `compileModule(name)`.
 */
export async function bundledPackages(folder: string, compiler: URL): Promise<BundledPackages> {
  const imports: Record<string, string> = {};
  const modules = new Map<string, string>();
  for await (const { name } of Deno.readDir(packages)) {
    const file = new URL(name, packages);
    const source = await Deno.readTextFile(file);
    const text = rewritePackage(source, compiler.href, modules);
    if (text === source) continue;
    await Deno.writeTextFile(`${folder}/${name}`, text);
    imports[file.href] = pathToFileURL(`${folder}/${name}`).href;
  }
  return { imports, modules };
}

/** The bytes of WebAssembly in a package, which is downloaded if needed. */
export async function moduleBytes(specifier: string): Promise<Uint8Array<ArrayBuffer>> {
  // The import makes Deno fetch the package; only after it does resolve give the file's place.
  // @ts-ignore: TypeScript has no types for source phase imports yet.
  await import.source(specifier);
  return await Deno.readFile(new URL(import.meta.resolve(specifier)));
}
