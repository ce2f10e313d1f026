// Parameters in blocks of 8 or 4 bits. Think of each as two arrays of bytes at some address: in its mapped file, or in memory
// where they are made while loading. A session gets views of them, in as many shapes as its operators want.
import { BackendError } from "../../src/errors/mod.ts";
import { bytesPerElement, sizeOf } from "../../src/tensor/mod.ts";
import {
  type BlockEncoding,
  blockShapes,
  type FileRegion,
  hasRowScales,
  type StoredWeights,
} from "../../src/weights/mod.ts";
import type { BlockInitializer } from "../onnx/mod.ts";
import { OrtValue, OrtView } from "./ort_value.ts";
import type { Runtime } from "./runtime.ts";

/** A parameter in blocks as a session finds it. */
export interface BlockPlacement {
  readonly encoding: BlockEncoding;
  /** Where its codes and scales lie in a file; where they are in memory, any region, since the memory is given too. */
  readonly codes: FileRegion;
  readonly scales: FileRegion;
  readonly hasRowScales: boolean;
  /** Where they are in memory; undefined where they are only in the file. */
  readonly held?: HeldBlocks;
}

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

  /** Find a parameter; it is made where it is not there yet. */
  async place(name: string): Promise<BlockPlacement> {
    const { bits, block, axis, regions } = this.source.get(name)!.blocks!;
    const encoding = { bits, block, axis };
    if (regions && Object.values(regions).every((region) => this.files.isInFolder(region))) {
      return { encoding, ...regions, hasRowScales: this.#findRowScales(name, () => this.#mapped(regions.scales)) };
    }
    // ONNX Runtime looks for a file, and not into it, where an initializer is given.
    const region = { path: this.files.anyFile, offset: 0, byteLength: 1 };
    const held = await this.#hold(name);
    const hasRowScales = this.#findRowScales(name, () => held.scales.read(sizeOf(held.scales.shape)) as Float32Array);
    return { encoding, codes: region, scales: region, hasRowScales, held };
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
    const held = this.#held.get(name);
    this.#held.delete(name);
    for (const tensor of held ? [held.codes, held.scales] : []) {
      this.runtime.counters.weightBytes -= tensor.byteLength;
      tensor.release();
    }
    this.#rowScales.get(name)?.release();
    this.#rowScales.delete(name);
  }

  /** Whether all blocks of a row have one scale; then `view` can give them. */
  #findRowScales(name: string, scalesOf: () => Float32Array | undefined): boolean {
    if (!this.#rowScales.has(name)) {
      const { shape, blocks } = this.source.get(name)!;
      const { scales: [rows, count] } = blockShapes(shape, blocks!);
      const scales = scalesOf();
      let found: OrtValue | undefined;
      if (scales && hasRowScales(scales, [rows, count])) {
        found = new OrtValue(this.runtime, "float32", [rows]);
        found.write(Float32Array.from({ length: rows }, (_, row) => scales[row * count]), 0);
      }
      this.#rowScales.set(name, found);
    }
    return this.#rowScales.get(name) !== undefined;
  }

  /** The numbers of a region in its mapped file; undefined where files cannot be mapped. */
  #mapped(region: FileRegion): Float32Array | undefined {
    const address = this.files.addressOf(region);
    return address && new Float32Array(Deno.UnsafePointerView.getArrayBuffer(address, region.byteLength));
  }

  #hold(name: string): HeldBlocks | Promise<HeldBlocks> {
    const known = this.#held.get(name) ?? this.#loading.get(name);
    if (known) return known;
    const loading = this.#load(name).finally(() => this.#loading.delete(name));
    this.#loading.set(name, loading);
    return loading;
  }

  async #load(name: string): Promise<HeldBlocks> {
    const { shape, blocks } = this.source.get(name)!;
    const made = await blocks!.load();
    if (this.#disposed) throw new BackendError(`Cannot use "${name}": the weights were released`, "ffi");
    const shapes = blockShapes(shape, blocks!);
    const [codes, scales] = [
      new OrtValue(this.runtime, "uint8", shapes.codes),
      new OrtValue(this.runtime, "float32", shapes.scales),
    ];
    codes.write(made.codes, 0);
    scales.write(made.scales, 0);
    this.runtime.counters.weightBytes += made.codes.byteLength + made.scales.byteLength;
    this.#held.set(name, { codes, scales });
    return { codes, scales };
  }

  [Symbol.dispose](): void {
    this.#disposed = true;
    for (const name of [...this.#held.keys(), ...this.#rowScales.keys()]) this.forget(name);
  }
}
