// How a compiled WebAssembly module is handed to an Emscripten library, which would read its file by itself otherwise.

/** Emscripten's module options: quiet, and with a module at hand. */
export interface EmscriptenOptions {
  printErr: () => void;
  instantiateWasm: (
    imports: WebAssembly.Imports,
    done: (instance: WebAssembly.Instance) => void,
  ) => WebAssembly.Exports;
}

/** Options that start an Emscripten library on `module`. */
export function onModule(module: WebAssembly.Module): EmscriptenOptions {
  return {
    printErr: () => {},
    instantiateWasm: (imports, done) => {
      const instance = new WebAssembly.Instance(module, imports);
      done(instance);
      return instance.exports;
    },
  };
}
