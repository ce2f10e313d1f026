// The context of lowering a graph to ONNX. Think of ONNX as a list of operations on names: lowering walks the graph once, and
// the context remembers the name of each value that was lowered. A lowering asks it for its operands' names, writes ONNX nodes,
// and returns its outputs' names. The context also writes constants, sizes and shapes, each once.
import { attributeKey, type Dimension, dimension, type Node, type Shape, type Value } from "../../src/graph/mod.ts";
import { type DataType, sizeOf } from "../../src/tensor/mod.ts";
import type { BlockInitializer, BlockParameter, IntegerProducts } from "./block_parameter.ts";
import { type Attribute, ModelBuilder, onnxTypes } from "./model_builder.ts";
import type { OperatorSupport } from "./operator_support.ts";

/** Writes one node: takes its operands' names, returns its outputs' names. */
export type Lowering<A> = (context: LoweringContext, node: Node & { readonly attributes: A }) => readonly string[];

/** A named size, or a sum or product of some, that the model takes as an input, [1]. */
export interface SizeInput {
  readonly name: string;
  /** As `resolveDimension` takes it. */
  readonly expression: string;
  readonly dataType: "int64" | "int32";
}

/** The state of lowering one graph. */
export class LoweringContext {
  readonly model: ModelBuilder;

  /** The parameters that are read in blocks, by their value. */
  readonly blocks = new Map<Value, BlockParameter>();
  /** The initializers that hold their codes and scales. */
  readonly blockInitializers: BlockInitializer[] = [];

  /**
   * @param operators The optional operators that may be used.
   * @param fusesCaches Whether attention appends to the caches that it reads.
   * @param products Which products with weights in blocks round their inputs to 8 bits.
   * @param scalesIntegers Whether Scaler makes float32 of whole numbers instead of Cast.
   */
  constructor(
    readonly operators: OperatorSupport,
    readonly fusesCaches: boolean,
    readonly products: IntegerProducts,
    readonly scalesIntegers: boolean,
  ) {
    this.model = new ModelBuilder(operators.has("TensorScatter") ? "newest" : "older");
  }

  /** The sizes that the model takes as inputs, by the inputs' names. */
  readonly sizes = new Map<string, SizeInput>();
  readonly #names = new Map<Value, string>();
  /** The names that values must get, because they are outputs of the model. */
  readonly #reservedNames = new Map<Value, string>();
  readonly #constants = new Map<string, string>();
  readonly #shapes = new Map<string, string>();
  /** What was written for values, by what for. */
  readonly #derived = new Map<Value, Map<string, readonly string[]>>();
  /** Attention results as ONNX Runtime's operators give them, [rows, T, H · D], before they are split into heads. */
  readonly joinedHeads = new Map<Value, string>();

  /** The name of a value. */
  name(value: Value): string {
    const name = this.#names.get(value);
    if (name === undefined) throw new Error(`the value of ${value.node.operator.name} was not lowered yet`);
    return name;
  }

  /** The name of a value of whole numbers as int64. */
  int64(value: Value): string {
    return value.dataType === "int64" ? this.name(value) : this.model.node("Cast", [this.name(value)], {
      to: onnxTypes.int64,
    });
  }

  /** Whether a value has a name yet. */
  has(value: Value): boolean {
    return this.#names.has(value);
  }

  /** Give a value its name. */
  set(value: Value, name: string): void {
    this.#names.set(value, name);
  }

  /** Reserve the name that a value must get. @returns Whether it can get it: no other name is reserved for it. */
  reserveName(value: Value, name: string): boolean {
    if (this.#reservedNames.has(value)) return false;
    this.#reservedNames.set(value, name);
    return true;
  }

  /** The names for a node's outputs. */
  outputs(node: Node): string[] {
    return node.outputs.map((value) => this.#reservedNames.get(value) ?? this.model.fresh());
  }

  /** Write an ONNX node for a node of the graph, its outputs under the names they must have. */
  write(
    node: Node,
    type: string,
    inputs: readonly string[],
    attributes: Readonly<Record<string, Attribute>> = {},
    domain?: string,
  ): string[] {
    const outputs = this.outputs(node);
    this.model.node(type, inputs, attributes, { outputs, domain, name: node.label && `${node.label}#${node.id}` });
    // ONNX Runtime infers no shape from a computed operand, and what it fuses depends on the shapes that it knows.
    if (type === "Reshape") this.model.describe(outputs[0], node.outputs[0].dataType, node.outputs[0].shape);
    return outputs;
  }

  /** Let what was written under a name be the output of a node, under the name that it must have. */
  give(node: Node, name: string): readonly string[] {
    return this.#reservedNames.has(node.outputs[0]) ? this.write(node, "Identity", [name]) : [name];
  }

  /**
   * What is made of a value for several nodes that read it, written once.
   *
   * @param what What it is made for: a name of its own.
   * @param write Writes it, and returns the names of its parts.
   */
  once(value: Value, what: string, write: () => readonly string[]): readonly string[] {
    const derived = this.#derived.get(value) ?? new Map<string, readonly string[]>();
    this.#derived.set(value, derived);
    const names = derived.get(what) ?? write();
    derived.set(what, names);
    return names;
  }

  /** A vector of int64 that is part of the model. */
  integers(values: readonly number[]): string {
    return this.constant(`i ${values}`, "int64", [values.length], BigInt64Array.from(values, BigInt));
  }

  /** A float32 without axes that is part of the model. */
  scalar(value: number): string {
    return this.constant(`f ${attributeKey(value)}`, "float32", [], Float32Array.of(value));
  }

  /** A tensor of one value that is part of the model. */
  filled(dataType: "uint8" | "int8", shape: readonly number[], value: number): string {
    const Data = { uint8: Uint8Array, int8: Int8Array }[dataType];
    return this.constant(`${dataType} ${shape} ${value}`, dataType, shape, new Data(sizeOf(shape)).fill(value));
  }

  /** A length as a vector of one int64: a constant, or an input of the model. */
  size(length: Dimension): string {
    const canonical = dimension(length);
    if (typeof canonical === "number") return this.integers([canonical]);
    return this.#sizeInput({ name: `size:${canonical}`, expression: canonical, dataType: "int64" });
  }

  /** A length as a vector of one int32: a constant, or an input of the model. */
  length(length: Dimension): string {
    const canonical = dimension(length);
    if (typeof canonical === "number") {
      return this.constant(`l ${canonical}`, "int32", [1], Int32Array.of(canonical));
    }
    return this.#sizeInput({ name: `length:${canonical}`, expression: canonical, dataType: "int32" });
  }

  #sizeInput(input: SizeInput): string {
    this.sizes.set(input.name, input);
    return input.name;
  }

  /** A shape as a vector of int64. */
  shape(shape: Shape): string {
    if (shape.every((length) => typeof length === "number")) return this.integers(shape);
    const key = shape.map(dimension).join();
    const known = this.#shapes.get(key);
    if (known) return known;
    // Neighbouring known lengths are written as one constant.
    const parts: string[] = [];
    for (let i = 0; i < shape.length;) {
      if (typeof shape[i] === "string") {
        parts.push(this.size(shape[i++]));
        continue;
      }
      let end = i;
      while (typeof shape[end] === "number") end++;
      parts.push(this.integers(shape.slice(i, end) as number[]));
      i = end;
    }
    const name = parts.length === 1 ? parts[0] : this.model.node("Concat", parts, { axis: 0 });
    this.#shapes.set(key, name);
    return name;
  }

  /** The shape operand of a Reshape: one unknown length is left to ONNX as -1, those that do not change are 0. */
  reshapeOperand(from: Shape, to: Shape): string {
    const free = to.findIndex((length, i) => typeof length === "string" && length !== from[i]);
    const whole = to.map((length, i) => {
      if (i === free) return -1;
      return typeof length === "string" && length === from[i] ? 0 : length;
    });
    // 0 means "as in the input", so an axis of length 0 must be written out.
    const ambiguous = to.some((length) => length === 0);
    return this.shape(ambiguous ? to : whole);
  }

  /** Write a Reshape. */
  reshape(name: string, from: Shape, to: Shape): string {
    return this.model.node("Reshape", [name, this.reshapeOperand(from, to)], { allowzero: to.includes(0) ? 1 : 0 });
  }

  /** A tensor that is part of the model, once for each key. */
  constant(
    key: string,
    dataType: DataType,
    shape: readonly number[],
    data: BigInt64Array | Int32Array | Float32Array | Uint8Array | Int8Array,
  ): string {
    let name = this.#constants.get(key);
    if (name === undefined) {
      const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
      this.#constants.set(key, name = this.model.initializer(this.model.fresh(), dataType, shape, bytes));
    }
    return name;
  }
}
