// The memory of a device, and what moves data in it. Think of the provider as the only one who can touch it: everything that is read,
// written or copied is a small model that a session of the device runs, with tensors of the host or the device bound to its inputs
// and outputs. So it is the same for every provider, and what a test finds with the CPU's memory holds for the others.
import { GraphBuilder, type Shape, type Sizes } from "../../../src/graph/mod.ts";
import { concat, gather, slice } from "../../../src/operators/mod.ts";
import { bytesPerElement, type DataType, sizeOf } from "../../../src/tensor/mod.ts";
import { type OnnxModel, onnxTypes, toOnnx } from "../../onnx/mod.ts";
import { fillSize } from "../../onnx/session/mod.ts";
import { OrtValue } from "../ort_value.ts";
import { cString, OutPointer, type Runtime } from "../runtime.ts";
import type { Device, DeviceMemoryKind } from "./device.ts";

/** A small model that is compiled. */
interface Copier {
  readonly session: Deno.PointerObject;
  /** The sizes that it takes. */
  readonly sizes: OnnxModel["sizes"];
}

/** Something that an OrtValue points to. */
type Bound = Readonly<Record<string, Deno.PointerObject>>;

/** The memory of one device. */
export class DeviceMemory implements Disposable {
  readonly kind: DeviceMemoryKind;
  readonly #copiers = new Map<string, Copier>();
  readonly #info: Deno.PointerObject;
  readonly #allocator: Deno.PointerObject;
  readonly #runOptions: Deno.PointerObject;
  readonly #made: DisposableStack;

  /** @throws {OrtError} If the device cannot be set up. */
  constructor(readonly library: Runtime, readonly device: Device) {
    const { api } = library;
    this.kind = device.memory!;
    const { name, id } = this.kind;
    using made = new DisposableStack();
    // OrtArenaAllocator and OrtMemTypeDefault: what the provider takes for its own tensors.
    this.#info = library.create("CreateMemoryInfo", (out) => api.createMemoryInfo(cString(name), 1, id, 0, out));
    made.defer(() => api.releaseMemoryInfo(this.#info));
    this.#runOptions = library.create("CreateRunOptions", (out) => api.createRunOptions(out));
    made.defer(() => api.releaseRunOptions(this.#runOptions));
    made.defer(() => this.#copiers.values().forEach(({ session }) => api.releaseSession(session)));
    const { session } = this.#identity("float32");
    this.#allocator = library.create("CreateAllocator", (out) => api.createAllocator(session, this.#info, out));
    made.defer(() => api.releaseAllocator(this.#allocator));
    this.#made = made.move();
  }

  /** Allocate a tensor. */
  allocate(dataType: DataType, shape: readonly number[]): Deno.PointerObject {
    const { api } = this.library;
    const [lengths, rank, type] = [BigInt64Array.from(shape, BigInt), BigInt(shape.length), onnxTypes[dataType]];
    return this.library.create(
      `allocate ${dataType} [${shape}] on ${this.device.name}`,
      (out) => api.createTensorAsOrtValue(this.#allocator, lengths, rank, type, out),
    );
  }

  /** A tensor over a part of another's memory. */
  view(value: Deno.PointerObject, dataType: DataType, shape: readonly number[], offset: number): Deno.PointerObject {
    const { api } = this.library;
    const data = new OutPointer();
    this.library.check(api.getTensorMutableData(value, data.buffer as BigUint64Array<ArrayBuffer>), "find a tensor");
    const width = bytesPerElement(dataType);
    const address = offset === 0 ? data.value : Deno.UnsafePointer.offset(data.value, offset * width)!;
    const [lengths, rank, type] = [BigInt64Array.from(shape, BigInt), BigInt(shape.length), onnxTypes[dataType]];
    const bytes = BigInt(sizeOf(shape) * width);
    return this.library.create(
      `view [${shape}] on ${this.device.name}`,
      (out) => api.createTensorWithDataAsOrtValue(this.#info, address, bytes, lengths, rank, type, out),
    );
  }

  /** Copy a tensor of one axis to another of as many elements, wherever both are. */
  copy(dataType: DataType, source: Deno.PointerObject, target: Deno.PointerObject): void {
    this.#run(this.#identity(dataType), { "input:x": source }, { "output:y": target });
  }

  /** Make `y` of `x`, both of `size` elements, with the `count` elements of `part` in the place of those from `offset` on. */
  put(
    dataType: DataType,
    bound: Readonly<Record<"x" | "part" | "y", Deno.PointerObject>>,
    { size, count, offset }: { readonly size: number; readonly count: number; readonly offset: number },
  ): void {
    const copier = this.#copier(`put ${dataType}`, (builder) => {
      const x = builder.input("x", dataType, ["size"]);
      const part = builder.input("part", dataType, ["count"]);
      const [before, after] = [
        slice(x, { starts: [0], sizes: ["offset"] }),
        slice(x, { starts: ["end"], sizes: ["after"] }),
      ];
      builder.output("y", concat([before, part, after], { axis: 0 }));
    });
    this.#run(copier, { "input:x": bound.x, "input:part": bound.part }, { "output:y": bound.y }, {
      offset,
      end: offset + count,
      after: size - offset - count,
    });
  }

  /**
   * Make `y` of `x`, whose rows get the first positions of rows of `x` and `source`.
   *
   * @param shape x's and y's.
   * @param from For each row which row it is of: of x, or after those of source.
   */
  gatherRows(
    dataType: DataType,
    bound: Readonly<Record<"x" | "source" | "y", Deno.PointerObject>>,
    { shape, sources, from, axis, length }: {
      readonly shape: readonly number[];
      readonly sources: number;
      readonly from: readonly number[];
      readonly axis: number;
      readonly length: number;
    },
  ): void {
    const copier = this.#copier(`rows ${dataType} ${shape.slice(1)} ${axis}`, (builder) => {
      const rest = shape.slice(1);
      const x = builder.input("x", dataType, ["rows", ...rest]);
      const source = builder.input("source", dataType, ["sources", ...rest]);
      const cut = (rows: string, length: string | number): Shape =>
        [rows, ...rest].map((size, i) => i === axis ? length : size);
      const starts = shape.map(() => 0);
      const heads = [[x, "rows"], [source, "sources"]] as const;
      const all = concat(heads.map(([value, rows]) => slice(value, { starts, sizes: cut(rows, "length") })), {
        axis: 0,
      });
      const chosen = gather(all, builder.input("from", "int64", ["rows"]), { axis: 0 });
      const tail = slice(x, {
        starts: shape.map((_, i) => i === axis ? "length" : 0),
        sizes: cut("rows", "left"),
      });
      builder.output("y", concat([chosen, tail], { axis }));
    });
    const ids = new OrtValue(this.library, "int64", [from.length]);
    ids.write(BigInt64Array.from(from, BigInt), 0);
    const inputs = { "input:x": bound.x, "input:source": bound.source, "input:from": ids.pointer };
    this.#run(copier, inputs, { "output:y": bound.y }, {
      rows: shape[0],
      sources,
      length,
      left: shape[axis] - length,
    });
    ids.release();
  }

  #identity(dataType: DataType): Copier {
    return this.#copier(`copy ${dataType}`, (builder) => builder.output("y", builder.input("x", dataType, ["size"])));
  }

  #copier(key: string, build: (builder: GraphBuilder) => void): Copier {
    let copier = this.#copiers.get(key);
    if (!copier) {
      const builder = new GraphBuilder(key);
      build(builder);
      const { bytes, sizes } = toOnnx(builder.build(), () => "bound", { operators: new Set() });
      this.#copiers.set(key, copier = { session: this.#session(key, bytes), sizes });
    }
    return copier;
  }

  #session(what: string, bytes: Uint8Array<ArrayBuffer>): Deno.PointerObject {
    const { library, device } = this;
    const { api, environment } = library;
    const options = library.create("CreateSessionOptions", (out) => api.createSessionOptions(out));
    try {
      library.check(api.disablePerSessionThreads(options), "share the threads");
      device.append?.(library, options);
      const length = BigInt(bytes.length);
      return library.create(what, (out) => api.createSmallSession(environment, bytes, length, options, out));
    } finally {
      api.releaseSessionOptions(options);
    }
  }

  #run({ session, sizes }: Copier, inputs: Bound, outputs: Bound, known: Sizes = {}): void {
    const { library, library: { api } } = this;
    const binding = library.create("CreateIoBinding", (out) => api.createIoBinding(session, out));
    const lengths = sizes.map(({ name, expression, dataType }) => {
      const value = new OrtValue(library, dataType, [1]);
      fillSize(value, expression, known);
      return [name, value] as const;
    });
    try {
      for (const [name, value] of lengths) library.check(api.bindInput(binding, cString(name), value.pointer), name);
      for (const [name, value] of Object.entries(inputs)) {
        library.check(api.bindInput(binding, cString(name), value), name);
      }
      library.check(api.synchronizeBoundInputs(binding), "copy to the device");
      for (const [name, value] of Object.entries(outputs)) {
        library.check(api.bindOutput(binding, cString(name), value), name);
      }
      library.check(api.runSmallSession(session, this.#runOptions, binding), `copy on ${this.device.name}`);
      library.check(api.synchronizeBoundOutputs(binding), "copy from the device");
    } finally {
      api.releaseIoBinding(binding);
      for (const [, value] of lengths) value.release();
    }
  }

  [Symbol.dispose](): void {
    this.#made[Symbol.dispose]();
  }
}
