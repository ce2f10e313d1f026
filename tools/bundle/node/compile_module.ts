// WebAssembly of the libraries, by name, from the package's own files.
import { readFile } from "node:fs/promises";

/** Compile the file of a name. */
export async function compileModule(name: string): Promise<WebAssembly.Module> {
  return await WebAssembly.compile(new Uint8Array(await readFile(new URL(`./wasm/${name}`, import.meta.url))));
}
