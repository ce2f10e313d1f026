// Parameters in blocks of 8 or 4 bits. Think of each as two arrays of bytes at some address: in its mapped file, or in memory
// where they are made while loading. A session gets views of them, in as many shapes as its operators want.
import { BackendError } from "../../src/errors/mod.ts";
import { bytesPerElement, type DataType, type TypedArray, viewArray } from "../../src/tensor/mod.ts";
import {
  type BlockEncoding,
  blockShapes,
  type CodeForm,
  codeType,
  type FileRegion,
  hasRowScales,
  layOutCodes,
  type StoredBlocks,
  type StoredWeights,
} from "../../src/weights/mod.ts";
import type { BlockInitializer } from "../onnx/mod.ts";
import { OrtValue, OrtView } from "./ort_value.ts";
import type { Runtime } from "./runtime.ts";

/** A parameter in blocks as a session finds it. */
export interface BlockPlacement {
  readonly encoding: BlockEncoding;
  readonly form: CodeForm;
  /** Where its codes and scales lie in a file; where they are in memory, any region, since the memory is given too. */
  readonly codes: FileRegion;
  readonly scales: FileRegion;
  /** Where they are in memory; undefined where they are only in the file. */
  readonly held?: HeldBlocks;
}

type Regions = NonNullable<StoredBlocks["regions"]>;

const forms: readonly CodeForm[] = ["rows", "columns", "signedColumns"];

interface HeldBlocks {
  readonly codes: OrtValue;
  readonly scales: OrtValue;
}

/** What these parameters need of the weights that they are among. */
interface Files {
  /** Any file of the folder that sessions read from. */
  readonly anyFile: string;
  isInFolder(region: FileRegion): boolean;
  /** The address of a region in its mapped file; undefined where files cannot be mapped. */
  addressOf(region: FileRegion): Deno.PointerObject | undefined;
}

/** The parameters in blocks of one model. */
export class BlockParameters implements Disposable {
  /** By the codes' form and name. */
  readonly #held = new Map<string, HeldBlocks>();
  readonly #loading = new Map<string, Promise<HeldBlocks>>();
  /** Of each row its one scale, of those parameters in whose rows all blocks have the same; undefined for others. */
  readonly #rowScales = new Map<string, OrtValue | undefined>();
  #disposed = false;

  constructor(readonly runtime: Runtime, readonly source: StoredWeights, readonly files: Files) {}

  /** The encoding of a parameter; undefined where it is not in blocks. */
  encodingOf(name: string): BlockEncoding | undefined {
    return this.source.get(name)?.blocks;
  }

  /**
   * Find a parameter; it is made where it is not there yet.
   *
   * @param preferred The form of codes where all blocks of a row have one scale; others lie in rows.
   */
  async place(name: string, preferred: CodeForm = "rows"): Promise<BlockPlacement> {
    const { bits, block, axis, regions, form = "rows" } = this.source.get(name)!.blocks!;
    const encoding = { bits, block, axis };
    if (regions && this.#isInFolder(regions)) {
      this.#findRowScales(name, () => this.#mapped(regions.scales, "float32"));
      if (form === this.#formOf(name, preferred)) return { encoding, form, ...regions };
    }
    // ONNX Runtime looks for a file, and not into it, where an initializer is given.
    const region = { path: this.files.anyFile, offset: 0, byteLength: 1 };
    const held = await this.#hold(name, preferred);
    return { encoding, form: this.#formOf(name, preferred), codes: region, scales: region, held };
  }

  /** The view that a session is given as an initializer. @returns Undefined where it reads the file by itself. */
  view(initializer: BlockInitializer, { held }: BlockPlacement): OrtView | undefined {
    const { parameter, part, dataType, shape, offset } = initializer;
    if (part === "rowScales") return this.#rowScales.get(parameter)!.view(shape, 0);
    if (held) return held[part].view(shape, offset / bytesPerElement(dataType));
    const region = this.source.get(parameter)?.blocks?.regions?.[part];
    const address = region && this.files.addressOf({ ...region, offset: region.offset + offset });
    return address && new OrtView(this.runtime, dataType, shape, address);
  }

  /** Release the memory of a parameter, which no session may have any more. */
  forget(name: string): void {
    for (const key of forms.map((form) => `${form} ${name}`)) {
      const held = this.#held.get(key);
      this.#held.delete(key);
      for (const tensor of held ? [held.codes, held.scales] : []) {
        this.runtime.counters.weightBytes -= tensor.byteLength;
        tensor.release();
      }
    }
    this.#rowScales.get(name)?.release();
    this.#rowScales.delete(name);
  }

  #isInFolder({ codes, scales }: Regions): boolean {
    return this.files.isInFolder(codes) && this.files.isInFolder(scales);
  }

  /** Find out whether all blocks of a row have one scale; then `view` can give them. */
  #findRowScales(name: string, scalesOf: () => TypedArray | undefined): void {
    if (this.#rowScales.has(name)) return;
    const { shape, blocks } = this.source.get(name)!;
    const { scales: [rows, count] } = blockShapes(shape, blocks!);
    const scales = scalesOf() as Float32Array | undefined;
    let found: OrtValue | undefined;
    if (scales && hasRowScales(scales, [rows, count])) {
      found = new OrtValue(this.runtime, "float32", [rows]);
      found.write(Float32Array.from({ length: rows }, (_, row) => scales[row * count]), 0);
    }
    this.#rowScales.set(name, found);
  }

  /** The form of a parameter's codes, once it is known whether its rows have one scale. */
  #formOf(name: string, preferred: CodeForm): CodeForm {
    return this.#rowScales.get(name) && this.source.get(name)!.blocks!.bits === 8 ? preferred : "rows";
  }

  /** The numbers of a region in its mapped file; undefined where files cannot be mapped. */
  #mapped(region: FileRegion, type: DataType): TypedArray | undefined {
    const address = this.files.addressOf(region);
    if (!address) return;
    const { byteLength } = region;
    const memory = Deno.UnsafePointerView.getArrayBuffer(address, byteLength);
    return viewArray(type, memory, 0, byteLength / bytesPerElement(type));
  }

  async #hold(name: string, preferred: CodeForm): Promise<HeldBlocks> {
    while (this.#loading.has(name)) await this.#loading.get(name);
    const known = this.#rowScales.has(name) && this.#held.get(`${this.#formOf(name, preferred)} ${name}`);
    if (known) return known;
    const loading = this.#load(name, preferred).finally(() => this.#loading.delete(name));
    this.#loading.set(name, loading);
    return await loading;
  }

  async #load(name: string, preferred: CodeForm): Promise<HeldBlocks> {
    const { shape, blocks } = this.source.get(name)!;
    const stored = this.#mappedBlocks(name) ?? { ...await blocks!.load(), form: "rows" as const };
    if (this.#disposed) throw new BackendError(`Cannot use "${name}": the weights were released`, "ffi");
    this.#findRowScales(name, () => stored.scales);
    const form = this.#formOf(name, preferred);
    const shapes = blockShapes(shape, blocks!);
    const [codes, scales] = [
      new OrtValue(this.runtime, codeType(form), shapes.codes),
      new OrtValue(this.runtime, "float32", shapes.scales),
    ];
    if (form === stored.form) codes.write(stored.codes, 0);
    else layOutCodes(stored.codes, shapes, { from: stored.form, to: form }, codes.elements);
    scales.write(stored.scales, 0);
    this.runtime.counters.weightBytes += codes.byteLength + scales.byteLength;
    const held = { codes, scales };
    this.#held.set(`${form} ${name}`, held);
    return held;
  }

  /** A parameter's codes and scales in their mapped file; undefined where they are in none. */
  #mappedBlocks(name: string): { codes: TypedArray; scales: TypedArray; form: CodeForm } | undefined {
    const { regions, form = "rows" } = this.source.get(name)!.blocks!;
    if (!regions || !this.#isInFolder(regions)) return;
    const codes = this.#mapped(regions.codes, codeType(form));
    const scales = this.#mapped(regions.scales, "float32");
    return codes && scales && { codes, scales, form };
  }

  [Symbol.dispose](): void {
    this.#disposed = true;
    for (const name of this.source.keys()) this.forget(name);
  }
}
