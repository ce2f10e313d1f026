// The tensor program: nodes in the order they were built, which is the order they run in, without any control flow.
// Shapes and data types are checked and inferred here, once; passes and backends trust them. Only states are written in
// place.
import { ShapeError } from "../errors/mod.ts";
import { type DataType, Tensor } from "../tensor/mod.ts";
import { attributeKey } from "./attribute_key.ts";
import { dimension, formatShape, type Shape } from "./dimension.ts";
import { constantOperator, inputOperator, parameterOperator, stateOperator } from "./leaf.ts";
import { type Builder, type Node, OperandError, type Operator, type TensorType, Value } from "./value.ts";

/** A finished program: immutable, and independent of any backend. */
export interface Graph {
  /** The program's name, for messages and profiles. */
  readonly name: string;
  /** Its nodes in the order they run in. */
  readonly nodes: readonly Node[];
  /** The tensors that are given at each run. */
  readonly inputs: ReadonlyMap<string, Value>;
  /** The model's parameters that it reads, by their names in the checkpoint. */
  readonly parameters: ReadonlyMap<string, Value>;
  /** The states before the first write. */
  readonly states: ReadonlyMap<string, Value>;
  /** The tensors that it gives. */
  readonly outputs: ReadonlyMap<string, Value>;
}

/** Builds a graph, checking every node as it is added. */
export class GraphBuilder implements Builder {
  readonly #nodes: Node[] = [];
  readonly #leaves = { input: new Map(), parameter: new Map(), state: new Map() } as Record<
    "input" | "parameter" | "state",
    Map<string, Value>
  >;
  readonly #outputs = new Map<string, Value>();
  readonly #constants = new Map<Tensor, Value>();
  readonly #scalars = new Map<string, Value>();
  /** The node that gave a state its next value. */
  readonly #writers = new Map<Value, Node>();
  /** The labels of the scopes that are open, joined; undefined outside of all. */
  #label: string | undefined;

  /** @param name The program's name, for messages and profiles. */
  constructor(readonly name: string) {}

  input(name: string, dataType: DataType, shape: Shape): Value {
    return this.#leaf("input", inputOperator, name, dataType, shape);
  }

  parameter(name: string, shape: readonly number[], dataType: DataType = "float32"): Value {
    return this.#leaf("parameter", parameterOperator, name, dataType, shape);
  }

  state(name: string, dataType: DataType, shape: Shape): Value {
    return this.#leaf("state", stateOperator, name, dataType, shape);
  }

  constant(tensor: Tensor): Value {
    let constant = this.#constants.get(tensor);
    if (!constant) {
      [constant] = this.add(constantOperator, [], { tensor });
      this.#constants.set(tensor, constant);
    }
    return constant;
  }

  scalar(value: number, dataType: DataType = "float32"): Value {
    const key = `${dataType} ${attributeKey(value)}`;
    let scalar = this.#scalars.get(key);
    if (!scalar) {
      const data = dataType === "int64" ? new BigInt64Array([BigInt(value)]) : Float32Array.of(value);
      scalar = this.constant(
        dataType === "float32" || dataType === "int64"
          ? new Tensor(dataType, [], data)
          : dataType === "bool"
          ? new Tensor("bool", [], Uint8Array.of(value))
          : new Tensor("int32", [], Int32Array.of(value)),
      );
      this.#scalars.set(key, scalar);
    }
    return scalar;
  }

  output(name: string, value: Value): void {
    this.#own(value, "output");
    if (this.#outputs.has(name)) throw new ShapeError(`Cannot name the output "${name}" twice in ${this.name}`);
    this.#outputs.set(name, value);
  }

  scope<T>(label: string, build: () => T): T {
    const outer = this.#label;
    this.#label = outer === undefined ? label : `${outer}.${label}`;
    try {
      return build();
    } finally {
      this.#label = outer;
    }
  }

  add<A extends object>(operator: Operator<A>, inputs: readonly Value[], attributes: A): readonly Value[] {
    const label = this.#label ?? "";
    for (const value of inputs) this.#own(value, operator.name);
    const { operands } = operator;
    const fail = (reason: string): never => failToAdd(operator, inputs, label, reason);
    if (inputs.length !== operands.length && !isVariadic(operator)) {
      const required = operands.filter((name) => !name.endsWith("?")).length;
      if (inputs.length < required || inputs.length > operands.length) fail(`it takes ${operands.join(", ")}`);
    }
    let types: readonly TensorType[];
    try {
      types = operator.infer(inputs, attributes);
    } catch (error) {
      if (error instanceof OperandError) return fail(error.message);
      throw error;
    }
    const outputs: Value[] = [];
    const node: Node = { id: this.#nodes.length, operator, inputs, attributes, outputs, label };
    for (let index = 0; index < types.length; index++) {
      const { dataType, shape } = types[index];
      outputs.push(new Value(this, node, index, { dataType, shape: shape.map(dimension) }));
    }
    if (operator.writesState) {
      const source = inputs[0].node.operator;
      if (source !== stateOperator && source !== parameterOperator && !source.writesState) {
        fail("only a state can be written");
      }
      if (this.#writers.has(inputs[0])) fail("the state is written twice; write the value that the first returned");
      this.#writers.set(inputs[0], node);
    }
    this.#nodes.push(node);
    return outputs;
  }

  /** Finish the program. The builder may not be used afterwards. */
  build(): Graph {
    for (const [name, value] of this.#outputs) this.#own(value, `output "${name}"`);
    Object.freeze(this.#nodes);
    return {
      name: this.name,
      nodes: this.#nodes,
      inputs: this.#leaves.input,
      parameters: this.#leaves.parameter,
      states: this.#leaves.state,
      outputs: this.#outputs,
    };
  }

  #leaf(
    kind: "input" | "parameter" | "state",
    operator: Operator<{ name: string } & TensorType>,
    name: string,
    dataType: DataType,
    shape: Shape,
  ): Value {
    const known = this.#leaves[kind].get(name);
    const canonical = shape.map(dimension);
    if (known) {
      if (known.dataType !== dataType || known.shape.join() !== canonical.join()) {
        throw new ShapeError(
          `Cannot use the ${kind} "${name}" as ${dataType} ${formatShape(canonical)}: ` +
            `it is ${known.dataType} ${formatShape(known.shape)} in ${this.name}`,
        );
      }
      return known;
    }
    const [value] = this.add(operator, [], { name, dataType, shape: canonical });
    this.#leaves[kind].set(name, value);
    return value;
  }

  #own(value: Value, use: string): void {
    if (value.builder !== this) {
      throw new ShapeError(`Cannot ${use}: a value of the graph "${value.builder.name}" is used in "${this.name}"`);
    }
    const writer = this.#writers.get(value);
    if (writer?.operator.writesState === "inPlace") {
      throw new ShapeError(
        `Cannot ${use}: the state ${formatShape(value.shape)} was overwritten by ${writer.operator.name}` +
          `${writer.label && ` (at ${writer.label})`}; use the value it returned`,
      );
    }
  }
}

function isVariadic({ operands }: Operator): boolean {
  return operands[0]?.startsWith("...") ?? false;
}

function failToAdd(operator: Operator, inputs: readonly Value[], label: string, reason: string): never {
  const variadic = isVariadic(operator);
  const operands = inputs.map((value, i) =>
    `${variadic ? `operand ${i}` : operator.operands[i]?.replace("?", "") ?? i} ${formatShape(value.shape)}` +
    (value.dataType === "float32" ? "" : ` ${value.dataType}`)
  ).join(", ");
  throw new ShapeError(
    `Cannot ${operator.name}${operands && " " + operands}: ${reason}${label && ` (at ${label})`}`,
    { op: operator.name, label, shapes: inputs.map((value) => value.shape) },
  );
}
