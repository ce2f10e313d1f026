// The library as a runtime of ONNX models: its sessions, their bindings, and the options of a stream's runs.
import type { Lane, LaneOptions, WorkQueue } from "../../src/async/work_queue.ts";
import type { DataType } from "../../src/tensor/mod.ts";
import type { OnnxRuntime, RunControl, RuntimeSession, SessionBinding } from "../onnx/session/mod.ts";
import type { DeviceMemory } from "./device/device_memory.ts";
import { DeviceValue } from "./device/device_value.ts";
import { type OrtBindable, OrtValue, type OrtView } from "./ort_value.ts";
import { cString, OutPointer, type Runtime } from "./runtime.ts";

/** An initializer of a model by its name, and its memory where that is given. */
export type Initializer = readonly [name: string, view: OrtView | undefined];

/** What a session is made of. */
export interface SessionOptions {
  /** The graph's name, for messages. */
  readonly name: string;
  /** The folder of external data. @default none */
  readonly folder?: string;
  /** Whether the session makes packed copies of its weights. @default true */
  readonly packed?: boolean;
  /** @default none */
  readonly given?: readonly Initializer[];
  /** The views that the session owns. @default none */
  readonly views?: readonly OrtView[];
  /**
   * What becomes of the memory that a run took: it is kept for the next run, given back at the run's end, as a step of training
   * must, or each buffer is given back when its last reader has run. @default "kept"
   */
  readonly memory?: "kept" | "givenBack" | "asNeeded";
}

/** Sessions of the library. */
export class FfiRuntime implements OnnxRuntime {
  readonly name = "ffi";

  /** @param memory That of a device, where sessions run on one; undefined for the CPU. */
  constructor(readonly library: Runtime, readonly memory?: DeviceMemory) {}

  get copiesWhenBound(): boolean {
    return this.memory !== undefined;
  }

  get counters(): Runtime["counters"] {
    return this.library.counters;
  }

  get work(): WorkQueue {
    return this.library.work;
  }

  allocate(dataType: DataType, shape: readonly number[], place: "device" | "host" = "device"): OrtValue | DeviceValue {
    if (this.memory && place === "device") return new DeviceValue(this.memory, dataType, shape);
    return new OrtValue(this.library, dataType, shape);
  }

  allocateZeros(dataType: DataType, shape: readonly number[]): OrtValue | DeviceValue {
    if (!this.memory) return OrtValue.zeros(this.library, dataType, shape);
    const value = new DeviceValue(this.memory, dataType, shape);
    value.clear();
    return value;
  }

  runControl(): RunControl {
    return new RunOptions(this.library);
  }

  lane(options: LaneOptions): Lane {
    return this.library.lane(options);
  }

  release(free: () => void): void {
    this.library.release(free);
  }

  checkOpen(): void {
    this.library.checkOpen();
  }

  /**
   * Compile a model.
   *
   * @param bytes The ModelProto.
   * @throws {OrtError} If it does not compile.
   */
  async createSession(bytes: Uint8Array<ArrayBuffer>, options: SessionOptions): Promise<RuntimeSession> {
    const { library } = this;
    const { api } = library;
    await library.ready;
    const session = library.create("make session options", (out) => api.createSessionOptions(out));
    try {
      configure(library, session, options);
      this.memory?.device.append?.(library, session);
      const out = new OutPointer();
      const length = BigInt(bytes.length);
      const buffer = out.buffer as BigUint64Array<ArrayBuffer>;
      library.pinned.add(bytes);
      const status = await api.createSessionFromArray(library.environment, bytes, length, session, buffer);
      library.check(status, `compile ${options.name}`);
      return new Session(library, out.value, options);
    } finally {
      library.pinned.delete(bytes);
      api.releaseSessionOptions(session);
    }
  }
}

function configure(library: Runtime, session: Deno.PointerObject, options: SessionOptions): void {
  const { api } = library;
  const { folder, packed = true, given = [], memory = "kept" } = options;
  library.check(api.disablePerSessionThreads(session), "share the threads");
  const entry = (key: string, value: string) =>
    library.check(api.addSessionConfigEntry(session, cString(key), cString(value)), `set ${key}`);
  // Memory patterns hold memory beside that of the first run, and save no time.
  library.check(api.disableMemPattern(session), "do without memory patterns");
  // A step of training takes and gives back gigabytes: a session's own arena grows in powers of two, and without an arena each
  // page is cleared again (1.4 times PyTorch's memory, and 1.3 times its time; with the exact arena 1.15 and 1.08).
  if (memory === "givenBack") entry("session.use_env_allocators", "1");
  if (memory === "asNeeded") library.check(api.disableCpuMemArena(session), "do without an arena");
  if (!packed) entry("session.disable_prepacking", "1");
  entry("session.use_device_allocator_for_initializers", "1");
  if (folder) entry("session.model_external_initializers_file_folder_path", folder);
  for (const [key, view] of given) {
    if (view) library.check(api.addInitializer(session, cString(key), view.pointer), `give ${key}`);
  }
}

/** An OrtSession. */
class Session implements RuntimeSession {
  constructor(
    readonly library: Runtime,
    readonly pointer: Deno.PointerObject,
    readonly options: SessionOptions,
  ) {}

  bind(): SessionBinding {
    return new Binding(this);
  }

  release(): void {
    this.library.api.releaseSession(this.pointer);
    for (const view of this.options.views ?? []) view.release();
  }
}

/** An OrtIoBinding. */
class Binding implements SessionBinding {
  readonly #library: Runtime;
  readonly #pointer: Deno.PointerObject;
  readonly #names = new Map<string, Uint8Array<ArrayBuffer>>();

  constructor(readonly session: Session) {
    const { library } = session;
    this.#library = library;
    this.#pointer = library.create("bind a program", (out) => library.api.createIoBinding(session.pointer, out));
  }

  input(name: string, { pointer }: OrtBindable): void {
    this.#library.check(this.#library.api.bindInput(this.#pointer, this.#text(name), pointer), "bind a tensor");
  }

  output(name: string, { pointer }: OrtBindable): void {
    this.#library.check(this.#library.api.bindOutput(this.#pointer, this.#text(name), pointer), "bind a tensor");
  }

  async run(control: RunControl): Promise<void> {
    const { pointer, options: { name, memory } } = this.session;
    const options = control as RunOptions;
    options.givesBack(memory === "givenBack");
    const status = await this.#library.api.runWithBinding(pointer, options.pointer, this.#pointer);
    this.#library.check(status, `run ${name}`);
  }

  release(): void {
    this.#library.api.releaseIoBinding(this.#pointer);
  }

  #text(name: string): Uint8Array<ArrayBuffer> {
    let text = this.#names.get(name);
    if (!text) this.#names.set(name, text = cString(name));
    return text;
  }
}

/** The OrtRunOptions of a stream. */
class RunOptions implements RunControl {
  readonly pointer: Deno.PointerObject;
  #givesBack = false;

  constructor(readonly library: Runtime) {
    this.pointer = library.create("CreateRunOptions", (out) => library.api.createRunOptions(out));
  }

  /** Whether the next runs end with giving back the memory that their arena keeps. */
  givesBack(value: boolean): void {
    if (value === this.#givesBack) return;
    this.#givesBack = value;
    const [key, devices] = ["memory.enable_memory_arena_shrinkage", value ? "cpu:0" : ""];
    this.library.check(this.library.api.addRunConfigEntry(this.pointer, cString(key), cString(devices)), `set ${key}`);
  }

  stop(): void {
    this.library.check(this.library.api.runOptionsSetTerminate(this.pointer), "stop a run");
  }

  release(): void {
    this.library.api.releaseRunOptions(this.pointer);
  }
}
