// What a tensor program is made of. Three types refer to each other: an operator defines the shapes of its outputs and how
// it decomposes into smaller operators, a node applies an operator to values, and a value is an output of a node. The
// operators themselves are in src/operators.
import type { DataType, Tensor } from "../tensor/mod.ts";
import type { Dimension, Shape } from "./dimension.ts";

/** The type of a value, which is known when the graph is built: its data type and its shape. */
export interface TensorType {
  /** The type of its elements. */
  readonly dataType: DataType;
  /** The length of each axis, which may have a name. */
  readonly shape: Shape;
}

/** Why operands do not fit; the builder adds the operator, its label and the shapes. */
export class OperandError extends Error {}

/** An operator with attributes `A`. A primitive has no `decompose`; a composite has. */
export interface Operator<A extends object = object> {
  /** The operator's name, as WebNN has it. */
  readonly name: string;
  /** The operands' names in order, for messages; a name that ends with "?" may be left out. */
  readonly operands: readonly string[];
  /**
   * The first operand is a state, and the first output is its new value: written in place at once, after which the old
   * value is gone, or at the end of the run, until which every reader sees the old value. A backend may write a value
   * earlier where nothing reads the old one any more; so the value is undefined after a run that failed or was aborted.
   */
  readonly writesState?: "inPlace" | "atEnd";
  /**
   * The types of the outputs.
   * @throws {OperandError} If the operands do not fit.
   */
  infer(inputs: readonly TensorType[], attributes: A): readonly TensorType[];
  /** What may not be negative in a run, besides the lengths of the outputs: positions, and how many are left after them. */
  bounds?(inputs: readonly TensorType[], attributes: A): readonly Dimension[];
  /** The same computation in smaller operators: definition, gradient, fallback and test oracle at once. */
  decompose?(inputs: readonly Value[], attributes: A): readonly Value[];
}

/** One operation of a graph. */
export interface Node<A extends object = object> {
  /** The node's position in the graph. */
  readonly id: number;
  /** What it does. */
  readonly operator: Operator<A>;
  /** Its operands. */
  readonly inputs: readonly Value[];
  /** How it does that: axes, shapes, factors. */
  readonly attributes: A;
  /** What it gives. */
  readonly outputs: readonly Value[];
  /** Where in the model the node was built, for messages: `decoder.layers.0.self_attn`. */
  readonly label: string;
}

/** A tensor of a graph: an output of one node. Operators are functions of values. */
export class Value implements TensorType {
  /** The type of its elements. */
  readonly dataType: DataType;
  /** The length of each axis, which may have a name. */
  readonly shape: Shape;

  /**
   * Make an output of a node.
   *
   * @param builder The graph under construction.
   * @param node The node that computes the value.
   * @param index Which of the node's outputs it is.
   * @param type Its data type and shape.
   */
  constructor(readonly builder: Builder, readonly node: Node, readonly index: number, type: TensorType) {
    this.dataType = type.dataType;
    this.shape = type.shape;
  }

  /** The number of axes. */
  get rank(): number {
    return this.shape.length;
  }
}

/** A graph under construction. An operator reaches it through its operands. */
export interface Builder {
  /** The program's name, for messages and profiles. */
  readonly name: string;
  /** A tensor given at each run. A second call with the same name returns the same value. */
  input(name: string, dataType: DataType, shape: Shape): Value;
  /** A parameter of the model by its checkpoint name: a constant for inference, a state when trainable. */
  parameter(name: string, shape: readonly number[], dataType?: DataType): Value;
  /** A tensor that outlives a run and is read and written in place, such as a cache. */
  state(name: string, dataType: DataType, shape: Shape): Value;
  /** A tensor that is part of the program. A second call with the same tensor returns the same value. */
  constant(tensor: Tensor): Value;
  /** A constant without axes; equal ones are one value. @default dataType "float32" */
  scalar(value: number, dataType?: DataType): Value;
  /** Name a value as a result of the program. */
  output(name: string, value: Value): void;
  /** Build with `label` put before the labels of the nodes added by `build`. */
  scope<T>(label: string, build: () => T): T;
  /**
   * Add one operation.
   *
   * @throws {ShapeError} If the operands do not fit, come from another graph, or are a state that was overwritten.
   */
  add<A extends object>(operator: Operator<A>, inputs: readonly Value[], attributes: A): readonly Value[];
}
