// The version and providers of a libonnxruntime, without running anything on it.
import { BackendError } from "../../src/errors/mod.ts";
import type { BackendDetails } from "../../src/graph/mod.ts";
import { symbols } from "./ort_api.ts";
import { providersOf, readTable, versionOf } from "./runtime.ts";

/**
 * A library's version and the providers that it was built with.
 *
 * @param path The library.
 * @throws {BackendError} If it cannot be opened, or is too old.
 */
export function inspectLibrary(path: string): BackendDetails {
  let library: Deno.DynamicLibrary<typeof symbols>;
  try {
    library = Deno.dlopen(path, symbols);
  } catch (error) {
    throw new BackendError(`Cannot inspect the ffi backend: ${(error as Error).message}`, "ffi", { cause: error });
  }
  try {
    const base = library.symbols.OrtGetApiBase()!;
    const api = readTable(base, path);
    return { library: path, version: versionOf(base), providers: providersOf(api) };
  } finally {
    library.close();
  }
}
