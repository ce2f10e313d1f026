// A model's parameters as they are stored, [out, in] as torch.nn.Linear has them: left in their file where they lie there
// as float32, of which a session makes a packed copy or which several sessions read, through one mapping of the file; else
// held once in memory.
import { BackendError, ShapeError } from "../../src/errors/mod.ts";
import type { OpenOptions, Weights } from "../../src/graph/mod.ts";
import { isFloat, Tensor, toFloat32 } from "../../src/tensor/mod.ts";
import { type FileRegion, float32Region, type StoredWeights } from "../../src/weights/mod.ts";
import type { Runtime } from "./runtime.ts";
import { FileMapping } from "./mapping.ts";
import type { Compiled } from "./compiled.ts";
import { OrtTensor, OrtView } from "./value.ts";

/** A program as its weights see it. */
export interface Reader {
  /** The parameters that the program's session reads from their file. */
  readonly fromFile: ReadonlySet<string>;
  /** Those that it has made its own of what lies in memory. */
  readonly fromMemory: ReadonlySet<string>;
  /** Whether the session has a packed copy of them: faster by 5 to 40 %, but its own. */
  readonly packed: boolean;
  /** Compile anew with or without a packed copy. */
  reload(pack: boolean): Promise<void>;
  /** Release the session, whose parameters have changed; the next run compiles anew. Nothing may be under way. */
  giveUp(): void;
}

/** Where a session finds a parameter: in a file, in memory, or bound at each run. */
export type Place = { readonly region: FileRegion; readonly held?: OrtTensor } | "bound";

function exists(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}

/** How often mapped pages are let go of: some MB are read in between. */
const pageMilliseconds = 5;

/** The folder of a file. */
function folderOf(path: string): string {
  return path.slice(0, Math.max(path.lastIndexOf("/"), path.lastIndexOf("\\"))) || "/";
}

/** Parameters on the ffi backend. */
export class FfiWeights implements Weights {
  /** The programs that were compiled with these weights. */
  readonly readers = new Set<Reader>();
  readonly #held = new Map<string, OrtTensor>();
  /** The bytes of parameters that sessions read from the file. */
  readonly #external = new Map<string, number>();
  /** Parameters whose value is the one in memory, since programs write them, or it was replaced. */
  readonly #kept = new Set<string>();
  readonly #trained = new Set<string>();
  /** How often parameters have changed. */
  version = 0;
  readonly #folder: string | undefined;
  /** Files in memory, those under one path the newest last, and parameters as they lie in them. */
  readonly #mappings = new Map<string, (FileMapping | undefined)[]>();
  readonly #mapped = new Map<string, OrtView>();
  #compiling: Promise<unknown> = Promise.resolve();
  #disposed = false;

  constructor(readonly runtime: Runtime, readonly source: StoredWeights, readonly options: OpenOptions) {
    for (const weight of source.values()) {
      const region = float32Region(weight);
      if (region) this.#folder ??= folderOf(region.path);
    }
    for (const name of source.keys()) if (options.trainable?.(name)) this.#trained.add(name);
  }

  /** Whether programs may write a parameter. */
  isTrained(name: string): boolean {
    return this.#trained.has(name);
  }

  async train(names: Iterable<string>): Promise<void> {
    for (const name of names) {
      if (!this.source.has(name)) throw new ShapeError(`Cannot train "${name}": there is no parameter of that name`);
      await this.hold(name);
      this.#trained.add(name);
      await this.#keep(name);
    }
  }

  /** The folder that external data is relative to. */
  get folder(): string | undefined {
    return this.#folder;
  }

  /**
   * Where a parameter lies in a file that a session can read it from; undefined where it must be held. A session knows one
   * folder; a file that is elsewhere is read into memory.
   */
  external(name: string): FileRegion | undefined {
    return this.#kept.has(name) || this.#trained.has(name) ? undefined : this.#regionOf(name);
  }

  /**
   * Where a program finds a parameter.
   *
   * @param copies Whether its session may make what lies in memory its own, packed.
   */
  async placeOf(name: string, copies: boolean): Promise<Place> {
    const inFile = this.external(name);
    if (inFile) return { region: inFile };
    const region = this.#regionOf(name);
    // ONNX Runtime looks for the file all the same.
    return region && copies && exists(region.path) ? { region, held: await this.hold(name) } : "bound";
  }

  #regionOf(name: string): FileRegion | undefined {
    const region = float32Region(this.source.get(name)!);
    return region && folderOf(region.path) === this.#folder ? region : undefined;
  }

  /** A parameter as it lies in its file; undefined where files cannot be mapped. */
  mapped(name: string): OrtView | undefined {
    const known = this.#mapped.get(name);
    const weight = this.source.get(name)!;
    const region = float32Region(weight);
    if (known || !region) return known;
    const mappings = this.#mappings.get(region.path) ?? [];
    this.#mappings.set(region.path, mappings);
    // A model may have been saved over its own files: what was mapped before stays, what follows is in the new one.
    if (mappings.at(-1)?.isCurrent !== true) mappings.push(FileMapping.open(region.path));
    const file = mappings.at(-1);
    if (!file) return;
    const view = new OrtView(this.runtime, "float32", weight.shape, file.at(region.offset));
    this.#mapped.set(name, view);
    return view;
  }

  /** Forget a program. */
  leave(reader: Reader): void {
    this.readers.delete(reader);
    if (this.#disposed) this.#unmap();
  }

  /**
   * Prepare for a program that reads parameters from their file.
   * What two programs read is held once: in the file's pages, which a packed copy would not share.
   *
   * @param names The parameters.
   * @returns Whether the program may keep a packed copy: no other reads the same.
   */
  async shareOut(names: ReadonlySet<string>): Promise<boolean> {
    const others = [...this.readers].filter((reader) => !reader.fromFile.isDisjointFrom(names));
    for (const reader of others) if (reader.packed) await reader.reload(false);
    return others.length === 0 && !this.options.lowMemory;
  }

  /** Do work on the programs of these weights, one at a time. */
  exclusively<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#compiling.then(work);
    this.#compiling = done.catch(() => {});
    return done;
  }

  /** Do work that reads mapped files once: their pages are let go of meanwhile, and do not add to what it makes of them. */
  async lettingGo<T>(work: () => Promise<T>): Promise<T> {
    const letGo = () => {
      for (const mapping of [...this.#mappings.values()].flat()) mapping?.letGo();
    };
    const timer = setInterval(letGo, pageMilliseconds);
    try {
      return await work();
    } finally {
      clearInterval(timer);
      letGo();
    }
  }

  /** @throws If a file that parameters lie in is no longer the one that was opened. */
  checkFiles(names: Iterable<string>): void {
    const checked = new Set<string>();
    for (const name of names) {
      const weight = this.source.get(name);
      const region = weight && (float32Region(weight) ?? weight.region);
      if (!region || checked.has(region.path)) continue;
      checked.add(region.path);
      region.check?.();
    }
  }

  /** Count what a session reads from the file, once for all sessions. */
  countExternal(name: string, byteLength: number): void {
    if (this.#external.has(name)) return;
    this.#external.set(name, byteLength);
    this.runtime.counters.weightBytes += byteLength;
  }

  /** A parameter in memory, float32 if it is a floating-point number. */
  async hold(name: string): Promise<OrtTensor> {
    this.checkOpen(`"${name}"`);
    const held = this.#held.get(name);
    if (held) return held;
    const stored = await this.source.get(name)!.load();
    this.checkOpen(`"${name}"`);
    return this.#held.get(name) ?? this.#allocate(name, stored);
  }

  async read(name: string): Promise<Tensor> {
    const held = this.#held.get(name);
    if (!held) return await this.source.get(name)!.load();
    const data = await this.runtime.work.settled(() => held.data.slice());
    return new Tensor(held.dataType, held.capacity, data);
  }

  async write(name: string, tensor: Tensor): Promise<void> {
    const info = this.source.get(name);
    if (info?.shape.join() !== tensor.shape.join()) {
      throw new ShapeError(`Cannot write "${name}": it is [${info?.shape}], the new value [${tensor.shape}]`);
    }
    this.checkOpen(`"${name}"`);
    const held = this.#held.get(name);
    if (!held) {
      this.#allocate(name, tensor);
      return await this.#keep(name);
    }
    await this.runtime.work.settled(() => {
      this.#fill(held, tensor);
      this.wrote([name]);
    });
  }

  /** Parameters have changed: sessions that have copies of them are given up. Nothing may be under way. */
  wrote(names: Iterable<string>): void {
    for (const name of names) {
      this.version++;
      for (const reader of this.readers) {
        if (reader.fromMemory.has(name) || reader.fromFile.has(name)) reader.giveUp();
      }
    }
  }

  /** Whether a session has the parameters' present values: one without copies of them always has. */
  isCurrent({ version, fromMemory, fromFile }: Pick<Compiled, "version" | "fromMemory" | "fromFile">): boolean {
    return version === this.version || (fromMemory.size === 0 && [...fromFile].every((name) => this.external(name)));
  }

  /** Take a parameter's value from memory from now on, which holds it. */
  async #keep(name: string): Promise<void> {
    if (this.#kept.has(name)) return;
    await this.runtime.work.settled(() => {
      this.#kept.add(name);
      this.runtime.counters.weightBytes -= this.#external.get(name) ?? 0;
      this.#external.delete(name);
      this.wrote([name]);
    });
  }

  /** @throws {BackendError} If the weights were released. */
  checkOpen(what: string): void {
    if (this.#disposed) throw new BackendError(`Cannot use ${what}: the weights were released`, "ffi");
  }

  /** Give files back, once no session reads them. */
  #unmap(): void {
    if (this.readers.size > 0) return;
    for (const view of this.#mapped.values()) view.release();
    const mappings = [...this.#mappings.values()].flat();
    this.#mappings.clear();
    this.runtime.work.afterwards(() => mappings.forEach((mapping) => mapping?.[Symbol.dispose]()));
  }

  #allocate(name: string, tensor: Tensor): OrtTensor {
    const held = new OrtTensor(this.runtime, isFloat(tensor.dataType) ? "float32" : tensor.dataType, tensor.shape);
    this.#held.set(name, held);
    this.runtime.counters.weightBytes += held.data.byteLength;
    this.#fill(held, tensor);
    return held;
  }

  #fill(held: OrtTensor, { dataType, data }: Tensor): void {
    if (isFloat(dataType)) toFloat32(dataType, data, held.data as Float32Array);
    else held.data.set(data as never);
  }

  [Symbol.dispose](): void {
    if (this.#disposed) return;
    this.#disposed = true;
    for (const held of this.#held.values()) {
      this.runtime.counters.weightBytes -= held.data.byteLength;
      held[Symbol.dispose]();
    }
    for (const bytes of this.#external.values()) this.runtime.counters.weightBytes -= bytes;
    this.#unmap();
  }
}
