// The backend on one library: it opens weights, and compiles a graph into an ONNX model in memory, of which ONNX Runtime makes a
// session.
import { BackendError } from "../../src/errors/mod.ts";
import {
  type Backend,
  checkParameters,
  type DeviceTensor,
  type Graph,
  type Node,
  type OpenOptions,
  type Program,
  type Stream,
  type StreamOptions,
  type Weights,
  writtenParameters,
} from "../../src/graph/mod.ts";
import type { DataType } from "../../src/tensor/mod.ts";
import { prepare } from "../../src/passes/mod.ts";
import {
  allOperators,
  hasManyRows,
  type IntegerProducts,
  isOnlyMultiplied,
  type OnnxModel,
  type OperatorSupport,
  readsBlocks,
  supportsNode,
  toOnnx,
} from "../onnx/mod.ts";
import {
  type CompiledSession,
  OnnxProgram,
  OnnxStream,
  ProgramByRows,
  type RuntimeSession,
  RuntimeTensor,
} from "../onnx/session/mod.ts";
import type { BlockEncoding, CodeForm, StoredWeights } from "../../src/weights/mod.ts";
import type { BlockPlacement } from "./block_parameters.ts";
import { giveBackFreedMemory } from "./c_heap.ts";
import type { DeviceMemory } from "./device/device_memory.ts";
import { isMemoryShort } from "./free_memory.ts";
import type { OrtValue, OrtView } from "./ort_value.ts";
import type { Runtime } from "./runtime.ts";
import { FfiRuntime, type Initializer, type SessionOptions } from "./session.ts";
import { FfiWeights, type ParameterPlacement } from "./weights.ts";

/** The parameters of a program, and the initializers that its session gets. */
type SessionParameters =
  & Pick<CompiledSession, "parameters" | "fromFile" | "fromMemory">
  & Required<Pick<SessionOptions, "given" | "views">>;

/** How a graph is compiled. */
interface CompileOptions {
  readonly packed: boolean;
  readonly fusesCaches: boolean;
  readonly products: IntegerProducts;
  readonly signal?: AbortSignal;
}

function holdsMemory(place: ParameterPlacement): boolean {
  return place !== "bound" && place.held !== undefined;
}

/** The blocks in which a program reads a parameter; undefined where it cannot read it in blocks. */
function readableBlocks(graph: Graph, weights: FfiWeights, name: string): BlockEncoding | undefined {
  const encoding = weights.encodingOf(name);
  return encoding && readsBlocks(graph, name, encoding) ? encoding : undefined;
}

/** The form of codes in which a program reads a parameter, if its rows have one scale. */
function preferredForm(graph: Graph, name: string, { rowScales }: IntegerProducts): CodeForm {
  return isOnlyMultiplied(graph, name) && rowScales || "rows";
}

/** ONNX Runtime on the CPU. */
export class FfiBackend implements Backend {
  readonly name = "ffi";
  readonly stepsPerRead = 1;
  readonly mapsFiles = true;
  readonly #sessions: FfiRuntime;
  #products: Promise<IntegerProducts> | undefined;

  /**
   * @param device What it runs on, for a person to read.
   * @param operators The optional operators that the library has.
   * @param products Which products of many rows with weights in blocks are of 8-bit integers. @default those that are faster
   * @param memory That of the device, where it is not the CPU.
   */
  constructor(
    readonly runtime: Runtime,
    readonly device: string,
    readonly operators: OperatorSupport = allOperators,
    products?: IntegerProducts,
    memory?: DeviceMemory,
  ) {
    this.#sessions = new FfiRuntime(runtime, memory);
    if (memory) runtime.beforeEnd.push(() => memory[Symbol.dispose]());
    this.#products = products && Promise.resolve(products);
  }

  get counters(): Runtime["counters"] {
    return this.runtime.counters;
  }

  supports(node: Node): boolean {
    return supportsNode(node, this.operators);
  }

  open(source: StoredWeights, options: OpenOptions = {}): Promise<Weights> {
    const { memory } = this.#sessions;
    if (memory && options.storage !== undefined && options.storage !== "float32") {
      throw new BackendError(
        `Cannot hold weights as ${options.storage} on the device "${memory.device.name}": programs for it are of float32`,
        "ffi",
      );
    }
    if (options.storage === "float16") {
      throw new BackendError(
        "Cannot hold weights as float16: ONNX Runtime widens float16 to float32 on the CPU, so that neither memory nor " +
          'time is saved; a checkpoint of float16 loads without a dtype, and "q8" takes a quarter of the memory',
        "ffi",
      );
    }
    if (options.storage !== undefined && options.storage !== "float32" && !this.operators.has("TensorScatter")) {
      throw new BackendError(
        `Cannot hold weights as ${options.storage}: ${this.runtime.libraryPath} is ONNX Runtime of before 1.24`,
        "ffi",
      );
    }
    const lowMemory = options.lowMemory ?? (!memory && isMemoryShort(source));
    if (lowMemory) {
      giveBackFreedMemory();
      this.runtime.sparesMemory = true;
    }
    const packsLate = options.lowMemory === undefined;
    // Programs are compiled next, which keeps this thread busy: it would not hear that there is an environment.
    return this.runtime.ready.then(() => new FfiWeights(this.#sessions, source, { ...options, lowMemory }, packsLate));
  }

  async compile(graph: Graph, weights: Weights, { signal }: { signal?: AbortSignal } = {}): Promise<Program> {
    const held = weights as FfiWeights;
    checkParameters(graph, held.source, (name) => held.isTrained(name));
    graph = prepare(graph, (node) => this.supports(node));
    const blocks = new Map<string, BlockEncoding>();
    for (const name of graph.parameters.keys()) {
      const encoding = readableBlocks(graph, held, name);
      if (encoding) blocks.set(name, encoding);
    }
    // Neither what is decoded in each run, nor what is trained on, is rounded further.
    const rounds = blocks.size > 0 && writtenParameters(graph).size === 0;
    const products = rounds ? await this.#productsOf(graph, held) : { blocks: "decoded" as const };
    // Made now, so that they are made for one program while another is compiled.
    await Promise.all(blocks.keys().map((name) => held.blocks.place(name, preferredForm(graph, name, products))));
    return await held.exclusively(new Set(graph.parameters.keys()), async () => {
      const names = new Set([...graph.parameters.keys()].filter((name) => held.fileRegionOf(name)));
      const compiler = (products: IntegerProducts) => (packed: boolean, fusesCaches: boolean) =>
        this.#compile(graph, held, { packed, fusesCaches, products });
      // A program that trains reads parameters unpacked from the file, so that the other programs can keep packed copies.
      const packing = writtenParameters(graph).size > 0 ? "never" : held.packingTime(names);
      const packed = packing === "now";
      signal?.throwIfAborted();
      const copiesBlocks = packed && blocks.size > 0;
      if (copiesBlocks) await held.dropUnused(new Set(blocks.keys()));
      const compiled = await this.#compile(graph, held, { packed, fusesCaches: true, products, signal });
      const program = new OnnxProgram(this.#sessions, graph, held, compiler(products), packed, compiled);
      if (copiesBlocks) held.noteCopies(program);
      if (packing === "later") held.packLater(program, graph.states.size > 0);
      const { blocks: form } = products;
      if (typeof form === "string" || form.rows === "many") return program;
      const forMany = compiler({ ...products, blocks: { ...form, rows: "many" } });
      const many = new OnnxProgram(this.#sessions, graph, held, forMany, packed);
      return new ProgramByRows(program, many, hasManyRows(graph, blocks));
    });
  }

  allocate(dataType: DataType, capacity: readonly number[]): DeviceTensor {
    return new RuntimeTensor(this.#sessions, dataType, capacity);
  }

  stream(options: StreamOptions = {}): Stream {
    return new OnnxStream(this.#sessions, options);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.runtime.close();
  }

  /** Which products of a program are of whole numbers. One with states runs a step at a time: its products have few rows. */
  async #productsOf({ states }: Graph, { options: { lowMemory = false } }: FfiWeights): Promise<IntegerProducts> {
    if (states.size > 0 && !lowMemory) return { blocks: "packed" };
    this.#products ??= import("./integer_products.ts").then(({ integerProductsHere }) => integerProductsHere());
    const { blocks, rowScales } = await this.#products;
    if (states.size === 0) return { blocks: lowMemory ? "decoded" : blocks, rowScales };
    // As where rows have one scale: AVX2 would add two products with signed codes in 16 bits.
    const unpacked = rowScales === "signedColumns" ? "int8" : "uint8";
    return { blocks: { unpacked, rows: rowScales ? "few" : "many" } };
  }

  async #compile(
    graph: Graph,
    weights: FfiWeights,
    { packed, fusesCaches, products, signal }: CompileOptions,
  ): Promise<CompiledSession> {
    const { version } = weights;
    const writes = writtenParameters(graph).size > 0;
    const names = [...graph.parameters.keys()];
    const places = new Map<string, ParameterPlacement>();
    for (const name of names) {
      const inBlocks = readableBlocks(graph, weights, name);
      places.set(
        name,
        await (inBlocks
          ? weights.blocks.place(name, preferredForm(graph, name, products))
          : weights.placeOf(name, !writes)),
      );
    }
    const lower = () =>
      toOnnx(graph, (name) => {
        const place = places.get(name)!;
        return place === "bound" || "encoding" in place ? place : place.region;
      }, { operators: this.operators, fusesCaches, products });
    let model = lower();
    // ONNX Runtime folds constants with what is in the file, and not with the memory that it is given.
    const stale = [...model.foldedParameters].filter((name) => holdsMemory(places.get(name)!));
    if (stale.length > 0) {
      for (const name of stale) places.set(name, "bound");
      model = lower();
    }
    const found = await this.#findParameters(model, places, weights, signal);
    const { parameters, fromFile, fromMemory, given, views } = found;
    let session: RuntimeSession | undefined;
    try {
      weights.checkFiles(fromFile);
      const { lowMemory = false } = weights.options;
      const memory = writes ? "givenBack" as const : lowMemory ? "asNeeded" as const : "kept" as const;
      // Products of whole numbers read codes as they lie: packed they would take twice their bytes, to be a tenth faster.
      const packs = packed && !model.blockInitializers.some(({ part }) => part === "rowScales");
      const options = { name: graph.name, folder: weights.folder, packed: packs, given, views, memory };
      const create = () => this.#sessions.createSession(model.bytes, options);
      session = options.packed ? await weights.files.releasingPages(create) : await create();
      weights.checkFiles(fromFile);
      if (lowMemory) giveBackFreedMemory();
      return { model, session, parameters, fromFile, fromMemory, version };
    } catch (error) {
      if (session) session.release();
      else for (const view of views) view.release();
      throw error;
    }
  }

  /** Find where the parameters of a program are: bound at each run, in memory as initializers, or in their file. */
  async #findParameters(
    { blockInitializers }: OnnxModel,
    places: ReadonlyMap<string, ParameterPlacement>,
    weights: FfiWeights,
    signal?: AbortSignal,
  ): Promise<SessionParameters> {
    const [parameters, inMemory] = [new Map<string, RuntimeTensor>(), new Map<string, RuntimeTensor>()];
    const [fromFile, inMemoryBlocks] = [new Set<string>(), new Set<string>()];
    const given: Initializer[] = [];
    for (const [name, place] of places) {
      signal?.throwIfAborted();
      if (place === "bound") parameters.set(name, await weights.hold(name));
      else if ("encoding" in place) {
        (place.held ? inMemoryBlocks : fromFile).add(name);
        if (!place.held) weights.countFileBytes(name, place.codes.byteLength + place.scales.byteLength);
      } else if (place.held) inMemory.set(name, place.held);
      else {
        weights.countFileBytes(name, place.region.byteLength);
        // All sessions share one mapping of the file; without mmap each session reads the file by itself.
        given.push([`parameter:${name}`, weights.mapped(name)]);
        fromFile.add(name);
      }
    }
    // There is no await after this, so that no view that was made can be lost by an error.
    const views = [...inMemory].map(([name, { capacity, value }]) => {
      const view: OrtView = (value as OrtValue).view(capacity, 0);
      given.push([`parameter:${name}`, view]);
      return view;
    });
    for (const initializer of blockInitializers) {
      const view = weights.blocks.view(initializer, places.get(initializer.parameter) as BlockPlacement);
      given.push([initializer.name, view]);
      if (view) views.push(view);
    }
    return { parameters, fromFile, fromMemory: new Set([...inMemory.keys(), ...inMemoryBlocks]), given, views };
  }
}
