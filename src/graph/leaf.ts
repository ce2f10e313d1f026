// The leaves, which are the nodes without operands: what a program is given (inputs, parameters, states) and what it
// contains (constants).
import type { Tensor } from "../tensor/mod.ts";
import type { Operator, TensorType } from "./value.ts";

/** The attributes of an input, a parameter or a state. */
export type NamedLeaf = TensorType & { readonly name: string };

function named(kind: "input" | "parameter" | "state"): Operator<NamedLeaf> {
  return { name: kind, operands: [], infer: (_, { dataType, shape }) => [{ dataType, shape }] };
}

/** A tensor given at each run. */
export const inputOperator: Operator<NamedLeaf> = named("input");

/** A parameter of the model. */
export const parameterOperator: Operator<NamedLeaf> = named("parameter");

/** A tensor that outlives a run. */
export const stateOperator: Operator<NamedLeaf> = named("state");

/** A tensor that is part of the program. */
export const constantOperator: Operator<{ readonly tensor: Tensor }> = {
  name: "constant",
  operands: [],
  infer: (_, { tensor }) => [{ dataType: tensor.dataType, shape: tensor.shape }],
};

/** The names of the nodes without operands that every backend provides by itself. */
export type LeafName = "input" | "parameter" | "state" | "constant";

/** Whether an operator is a leaf. */
export function isLeaf(operator: Operator): boolean {
  return operator === inputOperator || operator === parameterOperator || operator === stateOperator ||
    operator === constantOperator;
}
