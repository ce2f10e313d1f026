// The messages of ONNX (onnx.proto), written from plain objects. Field numbers are those of the schema.
import type { FileRegion } from "../../src/weights/mod.ts";
import type { DataType } from "../../src/tensor/mod.ts";
import type { Shape } from "../../src/graph/mod.ts";
import { Message } from "./protobuf.ts";

/** ONNX's number of each data type (TensorProto.DataType). */
export const onnxTypes: Readonly<Record<DataType, number>> = {
  float32: 1,
  uint8: 2,
  int8: 3,
  int16: 5,
  int32: 6,
  int64: 7,
  bool: 9,
  float16: 10,
  float64: 11,
  bfloat16: 16,
};

/** The value of a node's attribute: a whole number, a float, floats, text, or whole numbers. */
export type Attribute = number | { float: number } | { floats: readonly number[] } | string | readonly number[];

/** The versions that a model is written in: those of ONNX 1.19, or for an older runtime of ONNX 1.15. */
const versions = { newest: { ir: 12, opset: 24 }, older: { ir: 9, opset: 20 } } as const;

/** A domain of operators beside ONNX's own. */
export const microsoftDomain = "com.microsoft";

/** ONNX's domain of classical machine learning. */
export const learningDomain = "ai.onnx.ml";

function attributeMessage(name: string, value: Attribute): Message {
  const message = new Message().bytes(1, name);
  if (typeof value === "number") return message.integer(3, value).integer(20, 2);
  if (typeof value === "string") return message.bytes(4, value).integer(20, 3);
  if ("float" in value) return message.float(2, value.float).integer(20, 1);
  if ("floats" in value) {
    for (const number of value.floats) message.float(7, number);
    return message.integer(20, 6);
  }
  for (const number of value) message.integer(8, number);
  return message.integer(20, 7);
}

/** A node as it will be written. */
interface WrittenNode {
  readonly message: Message;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly inEachRun: boolean;
}

/** A graph under construction, in ONNX's terms: names for values. */
export class ModelBuilder {
  readonly #graph = new Message();
  /** In the order in which they were added, so that each comes after what it reads. */
  readonly #nodes: WrittenNode[] = [];
  readonly #outputs: string[] = [];
  /** The values that are known when the model is compiled, with the initializers that each is made of. */
  readonly #known = new Map<string, ReadonlySet<string>>();
  /** The initializers of which a runtime computes other values while it compiles (constant folding). */
  readonly folded = new Set<string>();
  readonly #domains = new Set<string>();
  #names = 0;

  /** @param version The version of ONNX. */
  constructor(readonly version: keyof typeof versions) {}

  /** A name that no other value has. */
  fresh(): string {
    return `_${this.#names++}`;
  }

  /**
   * Add a node and return its first output's name.
   *
   * @param options.inEachRun Whether a runtime computes it in each run though all that it reads is known; then as late as it
   * can, so that its result takes memory only while it is read. @default false
   */
  node(
    type: string,
    inputs: readonly string[],
    attributes: Readonly<Record<string, Attribute>> = {},
    options: { outputs?: readonly string[]; domain?: string; name?: string; inEachRun?: boolean } = {},
  ): string {
    const { outputs = [this.fresh()], domain, name, inEachRun = false } = options;
    if (!inEachRun && inputs.length > 0 && inputs.every((input) => this.#known.has(input))) {
      const sources = new Set(inputs.flatMap((input) => [...this.#known.get(input)!]));
      for (const source of sources) this.folded.add(source);
      for (const output of outputs) this.#known.set(output, sources);
    }
    const message = new Message();
    for (const input of inputs) message.bytes(1, input);
    for (const output of outputs) message.bytes(2, output);
    if (name) message.bytes(3, name);
    message.bytes(4, type);
    for (const [key, value] of Object.entries(attributes)) message.bytes(5, attributeMessage(key, value));
    if (domain) {
      message.bytes(7, domain);
      this.#domains.add(domain);
    }
    this.#nodes.push({ message, inputs, outputs, inEachRun });
    return outputs[0];
  }

  /** Add a tensor by its bytes, or by where they lie: in a file of the folder that the session options name. */
  initializer(name: string, dataType: DataType, shape: readonly number[], data: Uint8Array | FileRegion): string {
    const message = new Message();
    for (const length of shape) message.integer(1, length);
    message.integer(2, onnxTypes[dataType]).bytes(8, name);
    if (data instanceof Uint8Array) message.bytes(9, data);
    else {
      // The session options name the folder.
      const location = data.path.slice(1 + Math.max(data.path.lastIndexOf("/"), data.path.lastIndexOf("\\")));
      const entries = { location, offset: `${data.offset}`, length: `${data.byteLength}` };
      for (const [key, value] of Object.entries(entries)) {
        message.bytes(13, new Message().bytes(1, key).bytes(2, value));
      }
      message.integer(14, 1);
    }
    this.#graph.bytes(5, message);
    this.#known.set(name, new Set([name]));
    return name;
  }

  /** Declare an input; named axes become dim_param. */
  input(name: string, dataType: DataType, shape: Shape): string {
    this.#graph.bytes(11, this.#valueInfo(name, dataType, shape));
    return name;
  }

  /** Declare an output; named axes become dim_param. */
  output(name: string, dataType: DataType, shape: Shape): void {
    this.#outputs.push(name);
    this.#graph.bytes(12, this.#valueInfo(name, dataType, shape));
  }

  /** Say a value's shape, where a runtime cannot infer it. */
  describe(name: string, dataType: DataType, shape: Shape): void {
    this.#graph.bytes(13, this.#valueInfo(name, dataType, shape));
  }

  /** The ModelProto. */
  finish(graphName: string): Uint8Array<ArrayBuffer> {
    // Of a node's operands ONNX Runtime computes those first that come last in the model.
    const first = new Message();
    for (const { message, inEachRun } of this.#readNodes()) (inEachRun ? first : this.#graph).bytes(1, message);
    this.#graph.bytes(2, graphName);
    const { ir, opset } = versions[this.version];
    const model = new Message()
      .integer(1, ir)
      .bytes(2, "limner")
      .bytes(7, first.join(this.#graph))
      .bytes(8, new Message().bytes(1, "").integer(2, opset));
    for (const domain of this.#domains) model.bytes(8, new Message().bytes(1, domain).integer(2, 1));
    return model.finish();
  }

  /**
   * The nodes that an output is made of. ONNX Runtime computes the others too: in a decoder that attends with fused operators,
   * those that split into heads what is read whole, a fourth of all nodes. Beside reading its weights, a step of GPT-2 then takes
   * 2.8 ms instead of 3.2 (of some 30): a node of one row costs several µs whatever it computes.
   */
  #readNodes(): WrittenNode[] {
    const read = new Set(this.#outputs);
    const kept = this.#nodes.toReversed().filter(({ inputs, outputs }) => {
      const isRead = outputs.some((output) => read.has(output));
      if (isRead) { for (const input of inputs) read.add(input); }
      return isRead;
    });
    return kept.reverse();
  }

  #valueInfo(name: string, dataType: DataType, shape: Shape): Message {
    const dimensions = new Message();
    for (const length of shape) {
      const dimension = new Message();
      if (typeof length === "number") dimension.integer(1, length);
      else dimension.bytes(2, length);
      dimensions.bytes(1, dimension);
    }
    const tensor = new Message().integer(1, onnxTypes[dataType]).bytes(2, dimensions);
    return new Message().bytes(1, name).bytes(2, new Message().bytes(1, tensor));
  }
}
