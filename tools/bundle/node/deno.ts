// What there is of Deno in Node and Bun: its files, environment and errors, by the shim that Deno's own tool for npm uses. Nothing asks
// for a permission there, and native libraries cannot be called as Deno does.
// What V8 has had for a short time only, where it is missing.
import "npm:core-js@3.51.0/actual/map/get-or-insert-computed.js";
import "npm:core-js@3.51.0/actual/typed-array/from-base64.js";
import "npm:core-js@3.51.0/actual/typed-array/from-hex.js";
import "npm:core-js@3.51.0/actual/typed-array/to-base64.js";
import "npm:core-js@3.51.0/actual/typed-array/to-hex.js";
import { Deno as shim } from "npm:@deno/shim-deno@0.19.2";
import { NodeFile, type OpenOptions } from "./file.ts";

const granted = { state: "granted" } as const, denied = { state: "denied" } as const;
const stateOf = ({ name }: { readonly name: string }) => name === "ffi" ? denied : granted;

class NotCapable extends Error {}
class NotADirectory extends Error {}
class IsADirectory extends Error {}
const errors = { ...shim.errors, NotCapable, NotADirectory, IsADirectory };

/** Deno's errors by Node's codes. */
const kinds: Readonly<Record<string, new (message: string) => Error>> = {
  ...{ ENOENT: errors.NotFound, EEXIST: errors.AlreadyExists, EACCES: errors.PermissionDenied },
  ...{ EPERM: errors.PermissionDenied, ENOTDIR: NotADirectory, EISDIR: IsADirectory },
};

/** What a function gives, or its error as Deno has it. */
function translated<T>(call: () => T): T {
  const rethrow = (error: unknown): never => {
    const { code, message } = error as { code?: string; message: string };
    throw code && code in kinds ? new kinds[code](message) : error;
  };
  try {
    const result = call();
    return result instanceof Promise ? result.catch(rethrow) as T : result;
  } catch (error) {
    return rethrow(error);
  }
}

// deno-lint-ignore no-explicit-any
type AnyFunction = (...given: any[]) => unknown;

/** The shim's functions of paths, with errors as Deno has them. */
const ofPaths = Object.fromEntries(
  ([
    "stat",
    "lstat",
    "realPath",
    "readTextFile",
    "readFile",
    "mkdir",
    "remove",
    "rename",
    "copyFile",
    "symlink",
  ] as const)
    .map((name) => [name, (...given: unknown[]) => translated(() => (shim[name] as AnyFunction)(...given))]),
);

/** The entries of a folder. */
async function* readDir(path: string | URL): AsyncGenerator<Deno.DirEntry> {
  const entries = translated(() => Array.fromAsync(shim.readDir(path)));
  yield* await entries as Deno.DirEntry[];
}

Object.assign(globalThis, {
  Deno: {
    ...shim,
    ...ofPaths,
    readDir,
    errors,
    SeekMode: { Start: 0, Current: 1, End: 2 },
    permissions: { query: (asked: { name: string }) => Promise.resolve(stateOf(asked)), querySync: stateOf },
    openSync: (path: string | URL, options?: OpenOptions) => translated(() => NodeFile.open(path, options)),
    // deno-lint-ignore require-await
    open: async (path: string | URL, options?: OpenOptions) => translated(() => NodeFile.open(path, options)),
    // deno-lint-ignore require-await
    create: async (path: string | URL) =>
      translated(() => NodeFile.open(path, { write: true, create: true, truncate: true })),
    removeSync: (path: string | URL) => translated(() => shim.removeSync(path)),
  },
});
