// What an operator is: a name, a shape rule and, for a composite, its definition in smaller operators.
// The graph knows operators only through this interface; the operators themselves are in src/operators.
import type { DataType } from "../tensor/mod.ts";
import type { Dimension, Shape } from "./dimension.ts";
import type { Value } from "./graph.ts";

/** What is known of a value when the graph is built: its data type and its shape. */
export interface TensorType {
  readonly dataType: DataType;
  readonly shape: Shape;
}

/** Why operands do not fit; the builder adds the operator, its label and the shapes. */
export class OperandError extends Error {}

/** An operator with attributes `A`. A primitive has no `decompose`; a composite has. */
export interface Operator<A extends object = object> {
  readonly name: string;
  /** The operands' names in order, for messages; a name that ends with "?" may be left out. */
  readonly operands: readonly string[];
  /**
   * The first operand is a state, and the first output is its new value: written in place at once, after which the old
   * value is gone, or at the end of the run, until which every reader sees the old value. A backend may write earlier what
   * nothing else reads by then; so the value is not defined after a run that failed or was aborted.
   */
  readonly writesState?: "inPlace" | "atEnd";
  /**
   * The types of the outputs.
   * @throws {OperandError} If the operands do not fit.
   */
  infer(inputs: readonly TensorType[], attributes: A): readonly TensorType[];
  /** What may not be negative in a run beside the lengths of the outputs: positions, and the room behind them. */
  bounds?(inputs: readonly TensorType[], attributes: A): readonly Dimension[];
  /** The same computation in smaller operators: definition, gradient, fallback and test oracle at once. */
  decompose?(inputs: readonly Value[], attributes: A): readonly Value[];
}
