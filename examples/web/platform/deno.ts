// What there is of Deno in a browser: no files, no permissions. The library asks before it uses either.
class NotFound extends Error {}
class NotADirectory extends Error {}
class NotCapable extends Error {}
class PermissionDenied extends Error {}
class IsADirectory extends Error {}
class AlreadyExists extends Error {}

const refuse = (): Promise<never> =>
  Promise.reject(new NotCapable("a browser has no files that a page may open by name"));
const denied = { state: "denied" } as const;

Object.assign(globalThis, {
  Deno: {
    errors: { NotFound, NotADirectory, NotCapable, PermissionDenied, IsADirectory, AlreadyExists },
    build: { os: "linux", arch: "wasm" },
    permissions: { query: () => Promise.resolve(denied), querySync: () => denied },
    stat: refuse,
    open: refuse,
    realPath: refuse,
    readTextFile: refuse,
  },
});
