// A model's parameters for ONNX Runtime. Think of each parameter as being in one of two places: in its file, where it lies there
// as float32 and nothing has changed it, or in memory. A session reads a file through one mapping that all sessions share, and
// may make a packed copy, which is faster but its own, and takes its time: a large one is made when the weights are used a second
// time. One program has a copy of a parameter; others that read it read the mapping. A parameter that is written moves to memory,
// and sessions with a copy of it are dropped.
import type { OpenOptions } from "../../src/graph/mod.ts";
import { type BlockEncoding, type FileRegion, float32Region, type StoredWeights } from "../../src/weights/mod.ts";
import { type ParameterReader, type RuntimeTensor, SessionWeights } from "../onnx/session/mod.ts";
import { BlockParameters, type BlockPlacement } from "./block_parameters.ts";
import { largeWeights, LatePacking, type PackingTime } from "./late_packing.ts";
import { MappedFiles } from "./mapped_files.ts";
import { OrtView } from "./ort_value.ts";
import type { FfiRuntime } from "./session.ts";

/** Where a session finds a parameter: in a file or in memory, as it is or in blocks, or bound at each run. */
export type ParameterPlacement =
  | { readonly region: FileRegion; readonly held?: RuntimeTensor }
  | BlockPlacement
  | "bound";

function exists(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}

/** The folder of a file. */
function folderOf(path: string): string {
  return path.slice(0, Math.max(path.lastIndexOf("/"), path.lastIndexOf("\\"))) || "/";
}

/** Parameters on the ffi backend. */
export class FfiWeights extends SessionWeights {
  /** The bytes of parameters that sessions read from the file. */
  readonly #fileBytes = new Map<string, number>();
  /** Parameters whose present value is in memory, since programs write them, or the value was replaced. */
  readonly #inMemory = new Set<string>();
  /** Whether any parameter is in blocks. */
  readonly hasBlocks: boolean = false;
  readonly #anyFile: string | undefined;
  /** Those in blocks. */
  readonly blocks: BlockParameters;
  readonly files = new MappedFiles();
  readonly #latePacking = new LatePacking((program) => this.#isCopied(program.fromFile));
  /** Programs with packed copies of blocks that have not run yet. */
  readonly #unused = new Set<ParameterReader>();
  /** Views of the parameters in mapped files. */
  readonly #mapped = new Map<string, OrtView>();
  /** The names that each compilation under way reads, and when it ends. */
  readonly #compiling = new Map<ReadonlySet<string>, Promise<unknown>>();
  #disposed = false;

  /** @param packsLate Whether programs wait for packed copies of large weights until they are used again. */
  constructor(readonly runtime: FfiRuntime, source: StoredWeights, options: OpenOptions, readonly packsLate: boolean) {
    super(runtime, source, options);
    for (const weight of source.values()) {
      this.#anyFile ??= (float32Region(weight) ?? weight.blocks?.regions?.codes)?.path;
      if (weight.blocks) this.hasBlocks = true;
    }
    if (this.hasBlocks) this.#anyFile ??= runtime.library.libraryPath;
    this.blocks = new BlockParameters(runtime.library, source, {
      anyFile: this.#anyFile ?? "",
      isInFolder: (region) => folderOf(region.path) === this.folder,
      addressOf: (region) => this.files.addressOf(region),
    });
  }

  /** The folder that external data is relative to. */
  get folder(): string | undefined {
    return this.#anyFile && folderOf(this.#anyFile);
  }

  /**
   * The region of a file in which a session can read a parameter; undefined where the parameter must be in memory. A session
   * knows one folder; a file in another folder is read into memory.
   */
  fileRegionOf(name: string): FileRegion | undefined {
    return this.isReplaced(name) ? undefined : this.#regionOf(name);
  }

  protected override isReplaced(name: string): boolean {
    return this.#inMemory.has(name) || this.isTrained(name);
  }

  /** How a program can read a parameter in blocks; undefined where it has other values, or never was in blocks. */
  encodingOf(name: string): BlockEncoding | undefined {
    return this.isReplaced(name) ? undefined : this.blocks.encodingOf(name);
  }

  /**
   * Where a program finds a parameter.
   *
   * @param copies Whether its session may make packed copies of parameters in memory.
   */
  async placeOf(name: string, copies: boolean): Promise<ParameterPlacement> {
    const inFile = this.fileRegionOf(name);
    if (inFile) return { region: inFile };
    const region = this.#regionOf(name);
    // ONNX Runtime looks for the file even where the initializer is given.
    const copied = copies && !this.runtime.memory && exists(region?.path ?? "");
    return region && copied ? { region, held: await this.hold(name) } : "bound";
  }

  #regionOf(name: string): FileRegion | undefined {
    const region = float32Region(this.source.get(name)!);
    return region && folderOf(region.path) === this.folder ? region : undefined;
  }

  /** A view of a parameter in its mapped file; undefined where files cannot be mapped. */
  mapped(name: string): OrtView | undefined {
    if (this.runtime.memory) return; // a session of a device has copies there
    const known = this.#mapped.get(name);
    const weight = this.source.get(name)!;
    const region = float32Region(weight);
    if (known || !region) return known;
    const address = this.files.addressOf(region);
    if (!address) return;
    const view = new OrtView(this.runtime.library, "float32", weight.shape, address);
    this.#mapped.set(name, view);
    return view;
  }

  override beforeRun(reader: ParameterReader, rows: () => number): Promise<void> | undefined {
    this.#unused.delete(reader);
    return this.#latePacking.beforeRun(reader, rows);
  }

  override leave(reader: ParameterReader): void {
    super.leave(reader);
    this.#latePacking.delete(reader);
    this.#unused.delete(reader);
    if (this.#disposed) this.#unmap();
  }

  /** Whether a program has a packed copy of any of these parameters. */
  #isCopied(names: ReadonlySet<string>): boolean {
    return [...this.readers].some((reader) => reader.packed && !reader.fromFile.isDisjointFrom(names));
  }

  /**
   * When a new program that reads parameters from their file gets a packed copy of them, which one program may have.
   *
   * @param names The parameters.
   */
  packingTime(names: ReadonlySet<string>): PackingTime {
    if (this.runtime.memory) return "now";
    if (this.options.lowMemory) return "never";
    // What is packed of blocks is small, and what is not packed is decoded anew in each run.
    if (this.hasBlocks) return "now";
    if (this.#isCopied(names)) return "never";
    const bytes = [...names].reduce((sum, name) => sum + this.fileRegionOf(name)!.byteLength, 0);
    return this.packsLate && bytes >= largeWeights ? "later" : "now";
  }

  /** Note that a new program has packed copies of blocks, for whose sake others that have never run give up theirs. */
  noteCopies(program: ParameterReader): void {
    this.#unused.add(program);
  }

  /**
   * Let programs that have never run give up their packed copies of blocks: where slots are served `generate` may never be called,
   * and if it is, its program is compiled again.
   *
   * @param names Parameters of which another program will have copies.
   */
  dropUnused(names: ReadonlySet<string>): Promise<void> {
    return this.runtime.work.between(() => {
      for (const reader of this.#unused) {
        if (names.isDisjointFrom(reader.fromFile) && names.isDisjointFrom(reader.fromMemory)) continue;
        this.#unused.delete(reader);
        reader.dropSession();
      }
    });
  }

  /** Let a program have a packed copy when it is used again. */
  packLater(program: ParameterReader, inSteps: boolean): void {
    this.#latePacking.add(program, inSteps);
  }

  /**
   * Compile a program: after those that are being compiled and read the same parameters, and beside those that do not, since
   * a compilation keeps one core busy.
   *
   * @param names The parameters that it reads.
   */
  exclusively<T>(names: ReadonlySet<string>, work: () => Promise<T>): Promise<T> {
    const before = [...this.#compiling].filter(([others]) => !others.isDisjointFrom(names)).map(([, ends]) => ends);
    const done = Promise.all(before).then(work);
    const ends = done.then(() => {}, () => {}).finally(() => this.#compiling.delete(names));
    this.#compiling.set(names, ends);
    return done;
  }

  /** @throws If a file that parameters lie in is no longer the one that was opened. */
  checkFiles(names: Iterable<string>): void {
    const checked = new Set<string>();
    for (const name of names) {
      const weight = this.source.get(name);
      const region = weight && (float32Region(weight) ?? weight.blocks?.regions?.codes ?? weight.region);
      if (!region || checked.has(region.path)) continue;
      checked.add(region.path);
      region.check?.();
    }
  }

  /** Count what a session reads from the file, once for all sessions. */
  countFileBytes(name: string, byteLength: number): void {
    if (this.#fileBytes.has(name)) return;
    this.#fileBytes.set(name, byteLength);
    this.runtime.counters.weightBytes += byteLength;
  }

  protected override forgetOne(name: string): void {
    super.forgetOne(name);
    this.#inMemory.delete(name);
    this.blocks.forget(name);
  }

  protected override noteChange(name: string): void {
    this.#inMemory.add(name);
    this.runtime.counters.weightBytes -= this.#fileBytes.get(name) ?? 0;
    this.#fileBytes.delete(name);
    super.noteChange(name);
    this.blocks.forget(name);
  }

  /** Unmap the files, once no session reads them. */
  #unmap(): void {
    if (this.readers.size > 0) return;
    for (const view of this.#mapped.values()) view.release();
    this.runtime.work.afterwards(this.files.forget());
  }

  override [Symbol.dispose](): void {
    if (this.#disposed) return;
    this.#disposed = true;
    super[Symbol.dispose]();
    this.blocks[Symbol.dispose]();
    for (const bytes of this.#fileBytes.values()) this.runtime.counters.weightBytes -= bytes;
    this.#unmap();
  }
}
