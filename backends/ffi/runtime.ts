// The library in this process: its function table, one environment with one pool of threads, and the work of all streams, one
// run at a time. A status is checked in one place. Objects are released once the work that is queued by then has ended.
import { callLater } from "../../src/async/delay.ts";
import { BackendError, OrtError } from "../../src/errors/mod.ts";
import type { BackendOptions } from "../../src/graph/mod.ts";
import { RuntimeLife } from "../onnx/session/mod.ts";
import { type Api, apiVersion, baseFunctions, functions, symbols } from "./ort_api.ts";

/** A C string. */
export function cString(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(text + "\0");
}

/** Memory for a pointer that a function returns through an out parameter. */
export class OutPointer {
  readonly buffer = new BigUint64Array(1);

  /** The pointer that was put there. */
  get value(): Deno.PointerObject {
    return Deno.UnsafePointer.create(this.buffer[0])!;
  }
}

/** A function of OrtApiBase. */
function baseFunction<T extends Deno.ForeignFunction>(
  base: Deno.PointerObject,
  { offset, ...definition }: T & { offset: number },
): Deno.UnsafeFnPointer<T> {
  const pointer = new Deno.UnsafePointerView(base).getPointer(offset)!;
  return new Deno.UnsafeFnPointer(pointer as never, definition as unknown as T);
}

/** The version that a library reports, such as "1.30.0". */
export function versionOf(base: Deno.PointerObject): string {
  return new Deno.UnsafePointerView(baseFunction(base, baseFunctions.getVersionString).call()!).getCString();
}

/**
 * The functions of a library.
 *
 * @param base Its OrtApiBase.
 * @param path Its path, for messages.
 * @throws {BackendError} If it is too old.
 */
export function readTable(base: Deno.PointerObject, path: string): Api {
  const table = baseFunction(base, baseFunctions.getApi).call(apiVersion);
  if (!table) {
    throw new BackendError(
      `Cannot load the ffi backend: ${path} is ONNX Runtime ${versionOf(base)}, expected 1.${apiVersion} or later`,
      "ffi",
    );
  }
  const pointers = new Deno.UnsafePointerView(table);
  const entries = Object.entries(functions).map(([name, { index, ...definition }]) => {
    const pointer = new Deno.UnsafeFnPointer(pointers.getPointer(index * 8)!, definition as Deno.ForeignFunction);
    return [name, (...parameters: never[]) => pointer.call(...parameters)];
  });
  return Object.fromEntries(entries) as Api;
}

/** The execution providers that a library was built with; none where it cannot say. */
export function providersOf(api: Api): string[] {
  const out = new OutPointer();
  const length = new Int32Array(1);
  if (api.getAvailableProviders(out.buffer as BigUint64Array<ArrayBuffer>, length) !== null) return [];
  const names = new Deno.UnsafePointerView(out.value);
  const providers = Array.from(
    { length: length[0] },
    (_, n) => new Deno.UnsafePointerView(names.getPointer(8 * n)!).getCString(),
  );
  api.releaseAvailableProviders(out.value, length[0]);
  return providers;
}

/** A file's path without symbolic links, where that can be found. */
function realPath(path: string): string {
  try {
    return Deno.realPathSync(path);
  } catch {
    return path;
  }
}

/** The alignment of what ONNX Runtime allocates, in bytes: loads of vectors cross no cache line. */
const alignment = 64;

/** Buffers of so many bytes take memory as they are written: those of many rows, of which few may be in use. */
const largeBuffer = 4 * 2 ** 20;

/** How often an environment is asked for, a millisecond apart: releasing one ends its threads. */
const mostTries = 1000;

/** Memory that JavaScript gives back. */
export interface OwnedMemory {
  readonly address: Deno.PointerObject;
  free(): void;
}

/** ONNX Runtime: its functions, its environment, and the work queued on it. */
export class Runtime extends RuntimeLife {
  readonly name = "ffi";
  /** Arrays that the library reads while JavaScript continues: they may not be garbage-collected. */
  readonly pinned = new Set<Uint8Array>();
  /** What is released before the environment. */
  readonly beforeEnd: (() => void)[] = [];
  /** Whether all buffers are to take no memory before they are written, each anew from the system, which costs time. */
  sparesMemory = false;
  readonly allocator: Deno.PointerObject;
  readonly memoryInfo: Deno.PointerObject;
  readonly #library: Deno.DynamicLibrary<typeof symbols>;
  /** Ends when there is an environment, which is being made when a library has been opened; fails if there cannot be one. */
  readonly ready: Promise<void>;
  #environment: Deno.PointerObject | undefined;

  private constructor(
    library: Deno.DynamicLibrary<typeof symbols>,
    readonly api: Api,
    readonly libraryPath: string,
    /** Its version, such as "1.30.0". */
    readonly version: string,
    options: BackendOptions,
  ) {
    super();
    this.#library = library;
    this.allocator = this.create("GetAllocator", (out) => api.getAllocatorWithDefaultOptions(out));
    this.memoryInfo = this.create("CreateCpuMemoryInfo", (out) => api.createCpuMemoryInfo(0, 0, out));
    this.ready = this.#start(options);
    this.ready.catch(() => {}); // whoever needs it finds out
  }

  /** What sessions are made in: there is one when the runtime is ready. */
  get environment(): Deno.PointerObject {
    return this.#environment!;
  }

  /** Make the environment, on another thread: it registers thousands of operators. */
  async #start(options: BackendOptions): Promise<void> {
    const { api } = this;
    const threading = this.create("CreateThreadingOptions", (out) => api.createThreadingOptions(out));
    if (options.threads !== undefined) {
      this.check(api.setGlobalIntraOpNumThreads(threading, options.threads), "SetGlobalIntraOpNumThreads");
    }
    this.check(api.setGlobalSpinControl(threading, options.spinning === false ? 0 : 1), "SetGlobalSpinControl");
    try {
      this.#environment = await this.#createEnvironment(threading);
    } finally {
      api.releaseThreadingOptions(threading);
    }
    this.check(api.disableTelemetryEvents(this.environment), "DisableTelemetryEvents");
    this.#registerArena();
  }

  /**
   * Make an environment, or share the one that the process has. While that is being released, by another runtime of this thread or
   * by a worker's, the library cannot make one, and is asked again.
   */
  async #createEnvironment(threading: Deno.PointerObject): Promise<Deno.PointerObject> {
    const [name, out] = [cString("limner"), new OutPointer()];
    const buffer = out.buffer as BigUint64Array<ArrayBuffer>;
    for (let tries = 1;; tries++) {
      // Level 4, fatal: errors come back as statuses and are not written to the terminal as well.
      const status = await this.api.createEnvWithGlobalThreadPools(4, name, threading, buffer);
      try {
        this.check(status, "CreateEnvWithGlobalThreadPools");
        return out.value;
      } catch (error) {
        const isReleasing = (error as Error).message.includes("Only one instance of LoggingManager");
        if (!isReleasing || tries === mostTries) throw error;
        await new Promise<void>((resolve) => void callLater(1, resolve));
      }
    }
  }

  /** Give the environment an arena, for the sessions that ask for it, which grows by what is asked of it and no more. */
  #registerArena(): void {
    const { api } = this;
    const key = cString("arena_extend_strategy");
    const keys = new BigUint64Array([BigInt(Deno.UnsafePointer.value(Deno.UnsafePointer.of(key)))]);
    const sameAsRequested = new BigUint64Array([1n]);
    const arena = this.create("CreateArenaCfgV2", (out) => api.createArenaCfgV2(keys, sameAsRequested, 1n, out));
    const memory = this.create("CreateCpuMemoryInfo", (out) => api.createCpuMemoryInfo(1, 0, out));
    this.check(api.createAndRegisterAllocator(this.environment, memory, arena), "CreateAndRegisterAllocator");
    api.releaseMemoryInfo(memory);
    api.releaseArenaCfg(arena);
  }

  /**
   * Open a library.
   *
   * @throws {BackendError} If it cannot be opened, or is too old.
   */
  static open(path: string, options: BackendOptions): Runtime {
    let library: Deno.DynamicLibrary<typeof symbols>;
    try {
      library = Deno.dlopen(path, symbols);
    } catch (error) {
      // Deno and the system's loader each prefix the message.
      const reason = (error as Error).message.replace(/^(Could not open library: )+/, "");
      throw new BackendError(`Cannot load the ffi backend: ${reason}`, "ffi", { cause: error });
    }
    try {
      // As published for Linux and macOS, the library reports what it runs on, and which models, to its makers, from a thread and
      // a database of its own. Nothing that a person reads with Limner is theirs to know.
      library.symbols.setenv?.(cString("ORT_DISABLE_TELEMETRY"), cString("1"), 1);
      const base = library.symbols.OrtGetApiBase()!;
      return new Runtime(library, readTable(base, path), realPath(path), versionOf(base), options);
    } catch (error) {
      library.close();
      throw error;
    }
  }

  /** Turn a status into an OrtError and release it. */
  check(status: Deno.PointerValue, what: string): void {
    if (status === null) return;
    const code = this.api.getErrorCode(status) as number;
    const message = new Deno.UnsafePointerView(this.api.getErrorMessage(status)!).getCString();
    this.api.releaseStatus(status);
    throw new OrtError(`Cannot ${what}: ONNX Runtime says: ${message}`, code);
  }

  /** Call a function that makes an object. */
  create(what: string, call: (out: BigUint64Array<ArrayBuffer>) => Deno.PointerValue): Deno.PointerObject {
    this.checkOpen();
    const out = new OutPointer();
    this.check(call(out.buffer as BigUint64Array<ArrayBuffer>), what);
    return out.value;
  }

  /**
   * Memory of zeros that takes none before it is written, aligned as ONNX Runtime's own, from the C library that it depends on;
   * undefined where that cannot be asked, and for little memory that need not be spared.
   */
  zeros(bytes: number): OwnedMemory | undefined {
    this.checkOpen();
    const { calloc, free } = this.#library.symbols;
    const isSpared = this.sparesMemory || bytes >= largeBuffer;
    const memory = isSpared && free && calloc?.(1n, BigInt(bytes + alignment));
    if (!memory) return undefined;
    const over = Number(Deno.UnsafePointer.value(memory) % BigInt(alignment));
    return { address: Deno.UnsafePointer.offset(memory, (alignment - over) % alignment)!, free: () => free!(memory) };
  }

  /** The execution providers that the library was built with. */
  availableProviders(): string[] {
    return providersOf(this.api);
  }

  protected override get started(): Promise<void> {
    return this.ready.catch(() => {});
  }

  protected finish(): void {
    for (const release of this.beforeEnd) release();
    this.api.releaseMemoryInfo(this.memoryInfo);
    if (this.#environment) this.api.releaseEnv(this.#environment);
    this.#library.close();
  }
}
