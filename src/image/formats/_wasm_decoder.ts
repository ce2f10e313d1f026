// Libraries' decoders in WebAssembly, on instances of ours: an instance that has trapped is not to be trusted, and its
// memory never shrinks, so it is replaced. (Their own JavaScript keeps one instance as long as the process lives.)
import type { Decoder, ImageHeader } from "./headers/image_header.ts";
import { RawImage } from "../raw_image.ts";

/** One instance of a decoder. */
export interface DecoderInstance {
  readonly memory: Pick<WebAssembly.Memory, "buffer">;
  /** The picture may lie in the memory, where it stays until the next one is decoded. */
  decode(bytes: Uint8Array, header: ImageHeader): RawImage;
}

/** Bytes of memory, above which an instance is not kept: 256 MiB, what a JPEG of 40 megapixels needs. */
const keptMemory = 2 ** 28;

/** A decoder that starts an instance when there is none, after an error, and after a picture that took much memory. */
export function onInstances(start: () => DecoderInstance | Promise<DecoderInstance>): Decoder {
  let current: Promise<DecoderInstance> | undefined;
  return async (bytes, header, use = (image) => image) => {
    try {
      const instance = await (current ??= Promise.resolve(start()));
      const used = use(instance.decode(bytes, header));
      const image = used.data.buffer === instance.memory.buffer ? copyOf(used) : used;
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
 * @param functions What it imports, by the beginning of the name; what decoding calls only in error may be left out.
 * @returns What it exports.
 */
export function instantiate<Exports>(
  module: WebAssembly.Module,
  functions: Readonly<Record<string, (...inputs: number[]) => number | void>> = {},
): Exports {
  const imports: Record<string, Record<string, WebAssembly.ImportValue>> = {};
  for (const { module: from, name } of WebAssembly.Module.imports(module)) {
    const known = Object.keys(functions).find((beginning) => name.startsWith(beginning));
    (imports[from] ??= {})[name] = known ? functions[known] : () => {
      throw new Error(`${name} is not given`);
    };
  }
  return new WebAssembly.Instance(module, imports).exports as unknown as Exports;
}

/** Starts a library by the JavaScript that Emscripten made to go with it. */
type EmscriptenStart<Library> = (options: {
  printErr: () => void;
  instantiateWasm: (
    imports: WebAssembly.Imports,
    done: (instance: WebAssembly.Instance) => void,
  ) => WebAssembly.Exports;
}) => Promise<Library>;

/**
 * Start a library of Emscripten's on a new instance; its JavaScript would read the module from a file by itself.
 *
 * @returns What the library's JavaScript gives, and the instance's memory.
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

/** What modules that wasm-bindgen made from Rust export. */
export interface RustExports {
  readonly memory: WebAssembly.Memory;
  __wbindgen_malloc(bytes: number, alignment: number): number;
  __wbindgen_free(at: number, bytes: number, alignment: number): void;
}

/** Copy bytes into a Rust module's memory; a function that takes a `Vec` owns them from then on. */
export function giveBytes(rust: RustExports, bytes: Uint8Array): [at: number, length: number] {
  const at = rust.__wbindgen_malloc(bytes.length, 1) >>> 0;
  new Uint8Array(rust.memory.buffer).set(bytes, at);
  return [at, bytes.length];
}
