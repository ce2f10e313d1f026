// Libraries' decoders in WebAssembly, on instances that are replaced: one that has trapped cannot be trusted any more, and
// the memory of one never shrinks. (The libraries' own JavaScript keeps one instance as long as the process runs.)
import type { Decoder, ImageHeader } from "./headers/image_header.ts";
import { RawImage } from "../raw_image.ts";

/** One instance of a decoder. */
export interface DecoderInstance {
  readonly memory: Pick<WebAssembly.Memory, "buffer">;
  /** Decode a file. The picture may be a view of the memory, which is valid until the next one is decoded. */
  decode(bytes: Uint8Array, header: ImageHeader): RawImage;
}

/** An instance with more bytes of memory than this is not kept: 256 MiB, what a JPEG of 40 megapixels needs. */
const keptMemory = 2 ** 28;

/** A decoder that starts an instance when there is none, after an error, and after a picture that took much memory. */
export function onInstances(start: () => DecoderInstance | Promise<DecoderInstance>): Decoder {
  let current: Promise<DecoderInstance> | undefined;
  return async (bytes, header, transform = (image) => image) => {
    try {
      const instance = await (current ??= Promise.resolve(start()));
      const transformed = transform(instance.decode(bytes, header));
      const image = transformed.data.buffer === instance.memory.buffer ? copyOf(transformed) : transformed;
      if (instance.memory.buffer.byteLength > keptMemory) current = undefined;
      return image;
    } catch (error) {
      current = undefined;
      throw error;
    }
  };
}

function copyOf({ data, width, height, channels }: RawImage): RawImage {
  return new RawImage(data.slice(), width, height, channels);
}

/**
 * Instantiate a module without the library's own JavaScript.
 *
 * @param module The module.
 * @param functions The functions that it imports, by the beginnings of their names; those called only in case of an error may
 * be left out.
 * @returns The module's exports.
 */
export function instantiate<Exports>(
  module: WebAssembly.Module,
  functions: Readonly<Record<string, (...inputs: number[]) => number | void>> = {},
): Exports {
  const imports: Record<string, Record<string, WebAssembly.ImportValue>> = {};
  for (const { module: from, name } of WebAssembly.Module.imports(module)) {
    const known = Object.keys(functions).find((beginning) => name.startsWith(beginning));
    (imports[from] ??= {})[name] = known ? functions[known] : () => {
      throw new Error(`${name} is not provided`);
    };
  }
  return new WebAssembly.Instance(module, imports).exports as unknown as Exports;
}

/** The function that starts a library, in the JavaScript that Emscripten generates for it. */
type EmscriptenStart<Library> = (options: {
  printErr: () => void;
  instantiateWasm: (
    imports: WebAssembly.Imports,
    done: (instance: WebAssembly.Instance) => void,
  ) => WebAssembly.Exports;
}) => Promise<Library>;

/**
 * Start a library built with Emscripten on a new instance. Left alone, its JavaScript would read the module from a file.
 *
 * @returns The library as its JavaScript returns it, and the instance's memory.
 */
export async function startEmscripten<Library>(
  start: EmscriptenStart<Library>,
  module: WebAssembly.Module,
): Promise<{ library: Library; memory: WebAssembly.Memory }> {
  let memory: WebAssembly.Memory | undefined;
  const library = await start({
    printErr: () => {},
    instantiateWasm: (imports, done) => {
      const instance = new WebAssembly.Instance(module, imports);
      memory = Object.values(instance.exports).find((value) => value instanceof WebAssembly.Memory);
      done(instance);
      return instance.exports;
    },
  });
  return { library, memory: memory! };
}

/** The exports of every module that wasm-bindgen generates from Rust. */
export interface RustExports {
  readonly memory: WebAssembly.Memory;
  __wbindgen_malloc(bytes: number, alignment: number): number;
  __wbindgen_free(at: number, bytes: number, alignment: number): void;
}

/** Copy bytes into a Rust module's memory; a function that takes them as a `Vec` owns and frees them. */
export function giveBytes(rust: RustExports, bytes: Uint8Array): [at: number, length: number] {
  const at = rust.__wbindgen_malloc(bytes.length, 1) >>> 0;
  new Uint8Array(rust.memory.buffer).set(bytes, at);
  return [at, bytes.length];
}
