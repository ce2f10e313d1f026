// Elementwise operators: arithmetic with broadcasting, functions of one element, comparisons, `where` and casts.
import { OperandError, type Operator, type Value } from "../graph/mod.ts";
import type { DataType } from "../tensor/mod.ts";
import { broadcastShapes, floatType, type NoAttributes, sameType } from "./shape_inference.ts";

function binary(name: string, dataType?: DataType): Operator<NoAttributes> {
  return {
    name,
    operands: ["a", "b"],
    infer: ([a, b]) => [{
      dataType: dataType ?? sameType([a, b]),
      shape: (sameType([a, b]), broadcastShapes(a.shape, b.shape)),
    }],
  };
}

function unary<A extends object = NoAttributes>(name: string): Operator<A> {
  return { name, operands: ["x"], infer: ([x]) => [{ dataType: floatType([x]), shape: x.shape }] };
}

const whereOperator: Operator<NoAttributes> = {
  name: "where",
  operands: ["condition", "a", "b"],
  infer: ([condition, a, b]) => {
    if (condition.dataType !== "bool" && condition.dataType !== "uint8") {
      throw new OperandError(`the condition must be bool or uint8, not ${condition.dataType}`);
    }
    return [{ dataType: sameType([a, b]), shape: broadcastShapes(condition.shape, broadcastShapes(a.shape, b.shape)) }];
  },
};

const castOperator: Operator<{ dataType: DataType }> = {
  name: "cast",
  operands: ["x"],
  infer: ([x], { dataType }) => [{ dataType, shape: x.shape }],
};

/** The elementwise primitives. */
export const elementwise = {
  add: binary("add"),
  sub: binary("sub"),
  mul: binary("mul"),
  div: binary("div"),
  equal: binary("equal", "bool"),
  greaterOrEqual: binary("greaterOrEqual", "bool"),
  sqrt: unary("sqrt"),
  exp: unary("exp"),
  log: unary("log"),
  tanh: unary("tanh"),
  erf: unary("erf"),
  sigmoid: unary("sigmoid"),
  relu: unary("relu"),
  neg: unary("neg"),
  abs: unary("abs"),
  pow: unary<{ exponent: number }>("pow"),
  where: whereOperator,
  cast: castOperator,
};

const call = (operator: Operator<NoAttributes>) => (...inputs: Value[]): Value =>
  inputs[0].builder.add(operator, inputs, {})[0];

type Binary = (a: Value, b: Value) => Value;
type Unary = (x: Value) => Value;

/** a + b, broadcast. */
export const add: Binary = call(elementwise.add);
/** a − b, broadcast. */
export const sub: Binary = call(elementwise.sub);
/** a · b, elementwise and broadcast. */
export const mul: Binary = call(elementwise.mul);
/** a / b, broadcast. */
export const div: Binary = call(elementwise.div);
/** a = b, as bool, broadcast. */
export const equal: Binary = call(elementwise.equal);
/** a ≥ b, as bool, broadcast. */
export const greaterOrEqual: Binary = call(elementwise.greaterOrEqual);
/** The square root. */
export const sqrt: Unary = call(elementwise.sqrt);
/** e to the power x. */
export const exp: Unary = call(elementwise.exp);
/** The natural logarithm. */
export const log: Unary = call(elementwise.log);
/** The hyperbolic tangent. */
export const tanh: Unary = call(elementwise.tanh);
/** The error function. */
export const erf: Unary = call(elementwise.erf);
/** 1 / (1 + e^−x). */
export const sigmoid: Unary = call(elementwise.sigmoid);
/** max(x, 0). */
export const relu: Unary = call(elementwise.relu);
/** −x. */
export const neg: Unary = call(elementwise.neg);
/** The absolute value. */
export const abs: Unary = call(elementwise.abs);
/** `a` where the condition (bool or uint8) is not 0, else `b`; all three broadcast. */
export const where: (condition: Value, a: Value, b: Value) => Value = call(elementwise.where);

/** x to a constant power. */
export function pow(x: Value, attributes: { exponent: number }): Value {
  return x.builder.add(elementwise.pow, [x], attributes)[0];
}

/** The same values in another data type: floats are cut towards zero to integers, anything but 0 is true. */
export function cast(x: Value, attributes: { dataType: DataType }): Value {
  return x.dataType === attributes.dataType ? x : x.builder.add(elementwise.cast, [x], attributes)[0];
}
