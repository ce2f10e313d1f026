// Finding libonnxruntime: the path given, else the one named by LIMNER_ORT_LIBRARY, else that of an npm package, of
// which only the library is used. The package is large: it is downloaded when this backend is asked for and only then.
import { BackendError } from "../../src/errors/mod.ts";
import type { BackendOptions } from "../../src/graph/mod.ts";

const version = "1.30.0";
/** Computed, so that Deno does not download the package for whoever imports this module. */
const packageName: string = ["npm:onnxruntime-node", version].join("@");

const files: Readonly<Record<string, string>> = {
  linux: "libonnxruntime.so.1",
  darwin: "libonnxruntime.1.dylib",
  windows: "onnxruntime.dll",
};

const advice = `install it with "deno add ${packageName}", or name a libonnxruntime of version 1.22 or later by the ` +
  `option libraryPath or the variable LIMNER_ORT_LIBRARY`;

/** The library's file in the package, for this machine; undefined where there is none. */
function packageFile(): string | undefined {
  const folder = Deno.build.os === "windows" ? "win32" : Deno.build.os;
  const architecture = Deno.build.arch === "x86_64" ? "x64" : "arm64";
  const file = files[Deno.build.os];
  if (!file || (Deno.build.os === "darwin" && architecture === "x64")) return;
  return `bin/napi-v6/${folder}/${architecture}/${file}`;
}

/** The devices that the package's library for this machine has providers for, as it is published; CUDA's own files are not in it. */
export function packageDevices(): readonly string[] {
  return Deno.build.os === "linux" && Deno.build.arch === "x86_64" ? ["cpu", "webgpu"] : ["cpu"];
}

/** Why there is no library for this machine unless a person names one; empty where there is. */
export function whyNoPackage(): string {
  return packageFile() ? "" : `there is no libonnxruntime for ${Deno.build.target} in ${packageName}; ${advice}`;
}

/** The path that the user gave, if any. */
export function givenPath(options: BackendOptions): string | undefined {
  if (options.libraryPath) return options.libraryPath;
  const granted = Deno.permissions.querySync({ name: "env", variable: "LIMNER_ORT_LIBRARY" }).state === "granted";
  return granted ? Deno.env.get("LIMNER_ORT_LIBRARY") : undefined;
}

/**
 * Find the library, downloading the package if it must.
 *
 * @returns The library's path.
 * @throws {BackendError} If it cannot be found or downloaded, with what to do.
 */
export async function findLibrary(options: BackendOptions): Promise<string> {
  const given = givenPath(options);
  if (given) return given;
  const file = packageFile();
  if (!file) throw new BackendError(`Cannot load the ffi backend: ${whyNoPackage()}`, "ffi");
  try {
    // The import makes Deno fetch the package; only after it does resolve give the package's place.
    await import(`${packageName}/package.json`, { with: { type: "json" } });
    const path = decodeURIComponent(new URL(file, import.meta.resolve(`${packageName}/package.json`)).pathname);
    return Deno.build.os === "windows" ? path.slice(1) : path;
  } catch (error) {
    throw new BackendError(
      `Cannot load the ffi backend: ${packageName} is not to be had (${(error as Error).message}); ${advice}`,
      "ffi",
      { cause: error },
    );
  }
}
