// Elementwise kernels: one invocation an element, any broadcasting, and chains of operators in one kernel.
import type { DataType } from "../../../src/tensor/mod.ts";
import type { AttributesOf, elementwise } from "../../../src/operators/mod.ts";
import type { Profile } from "../device/profile.ts";
import { broadcastView, type View } from "../program/view.ts";
import { compare, isNotZero, toBfloat16, toFloat16 } from "./float_bits.ts";
import { declareActivation, declareErf, sigmoid } from "./activations.ts";
import { type Dispatch, elementCount, elementType, Shader } from "./shader.ts";

/** An operand of an expression: elements of a view, a number, or an expression that has no kernel of its own. */
export type Operand =
  | { readonly kind: "view"; readonly view: View }
  | { readonly kind: "scalar"; readonly dataType: DataType; readonly value: number }
  | Expression;

/** A function of operands, computed for each element of a shape. */
export interface Expression {
  readonly kind: "expression";
  readonly dataType: DataType;
  readonly shape: View["shape"];
  readonly operands: readonly Operand[];
  /** The WGSL expression over the operands' expressions, which may be used several times. */
  readonly code: (operands: readonly string[], shader: Shader) => string;
}

type Name = keyof typeof elementwise | "gelu" | "silu";
type Code<A> = (attributes: A, from: readonly DataType[], to: DataType) => Expression["code"];

const infix = (operator: string): Code<object> => () => ([a, b]) => `(${a} ${operator} ${b})`;
const comparison = (operator: "==" | ">="): Code<object> => (_, [from]) => ([a, b], shader) =>
  `select(0u, 1u, ${elementType(from) === "f32" ? compare(shader, operator, a, b) : `${a} ${operator} ${b}`})`;
const call = (name: string): Code<object> => () => ([x]) => `${name}(${x})`;

function power(exponent: number): Expression["code"] {
  if (exponent === 0) return () => "1.0";
  if (exponent < 0) return (operands, shader) => `(1.0 / ${power(-exponent)(operands, shader)})`;
  if (exponent === 0.5) return ([x]) => `sqrt(${x})`;
  if (Number.isInteger(exponent) && exponent <= 8) return ([x]) => `(${Array(exponent).fill(x).join(" * ")})`;
  if (!Number.isInteger(exponent)) return ([x], shader) => `pow(${x}, ${shader.float(exponent)})`;
  const odd = exponent % 2 !== 0;
  return ([x], shader) => `(pow(abs(${x}), ${shader.float(exponent)})${odd ? ` * sign(${x})` : ""})`;
}

function conversion(from: DataType, to: DataType): Expression["code"] {
  const type = elementType(from);
  if (to === "bool") return ([x]) => `select(0u, 1u, ${type === "f32" ? isNotZero(x) : `${x} != ${type}(0)`})`;
  if (to === "float16") return ([x], shader) => toFloat16(shader, `f32(${x})`);
  if (to === "bfloat16") return ([x], shader) => toBfloat16(shader, `f32(${x})`);
  if (to === "int8") return ([x]) => `((i32(${x}) << 24u) >> 24u)`;
  if (to === "int16") return ([x]) => `((i32(${x}) << 16u) >> 16u)`;
  if (to === "uint8") return ([x]) => `(u32(i32(${x})) & 255u)`;
  return ([x]) => `${elementType(to)}(${x})`;
}

const gelus = { none: "gelu", tanh: "geluTanh", quick: "geluQuick" } as const;

const codes: { [K in Name]: Code<AttributesOf<K>> } = {
  add: infix("+"),
  sub: infix("-"),
  mul: infix("*"),
  div: infix("/"),
  equal: comparison("=="),
  greaterOrEqual: comparison(">="),
  sqrt: call("sqrt"),
  exp: call("exp"),
  log: call("log"),
  tanh: () => ([x], shader) => `${declareActivation(shader, "tanh", "f32")}(${x})`,
  erf: () => ([x], shader) => `${declareErf(shader, "f32")}(${x})`,
  sigmoid: () => ([x]) => sigmoid(x),
  relu: () => ([x], shader) => `${declareActivation(shader, "relu", "f32")}(${x})`,
  neg: call("-"),
  abs: call("abs"),
  pow: ({ exponent }) => power(exponent),
  where: () => ([condition, a, b]) => `select(${b}, ${a}, ${condition} != 0u)`,
  cast: ({ dataType }, [from]) => conversion(from, dataType),
  gelu: ({ approximation = "none" }) => ([x], shader) =>
    `${declareActivation(shader, gelus[approximation], "f32")}(${x})`,
  silu: () => ([x], shader) => `${declareActivation(shader, "silu", "f32")}(${x})`,
};

/** Whether an operator computes each element by itself. */
export function isElementwise(name: string): name is Name {
  return Object.hasOwn(codes, name);
}

/** The code of an elementwise operator. */
export function elementwiseCode(
  name: Name,
  attributes: object,
  from: readonly DataType[],
  to: DataType,
): Expression["code"] {
  return (codes[name] as Code<object>)(attributes, from, to);
}

/** The views that an expression reads, in order. */
export function viewsOf(operand: Operand): View[] {
  if (operand.kind === "view") return [operand.view];
  return operand.kind === "scalar" ? [] : operand.operands.flatMap(viewsOf);
}

/** An expression of the same shape or a part of it, on other views than those of {@linkcode viewsOf}. */
export function withViews(expression: Expression, views: readonly View[], shape: Expression["shape"]): Expression {
  const rest = [...views];
  const replace = (operand: Operand): Operand => {
    if (operand.kind === "view") return { kind: "view", view: rest.shift()! };
    return operand.kind === "scalar" ? operand : { ...operand, shape, operands: operand.operands.map(replace) };
  };
  return replace(expression) as Expression;
}

/** Compute an expression into a view of its shape, which may be one that it reads. */
export function elementwiseKernel(label: string, expression: Expression, target: View, profile: Profile): Dispatch {
  const shader = new Shader(label);
  // Bound first, as an operand may be what the result takes the place of.
  const out = shader.write(target.storage, elementType(target.dataType));
  const views: Record<string, View> = { out: target };
  const loads = viewsOf(expression).map((view, i) => {
    views[`at${i}`] = broadcastView(view, expression.shape);
    return `let x${i} = ${shader.read(view.storage, elementType(view.dataType))(`at${i}`)};`;
  });
  const { lines, result } = emitExpression(shader, expression, (i) => `x${i}`);
  const body = [shader.places(expression.shape, "index", views), ...loads, ...lines, `${out.store("out", result)};`];
  return shader.elements(body.join("\n  "), elementCount(expression.shape), profile.lanes);
}

/** Statements that compute an expression, and its result. @param load The value of a view, by its place in `viewsOf`. */
export function emitExpression(
  shader: Shader,
  expression: Expression,
  load: (view: number) => string,
  suffix = "",
): { lines: string[]; result: string } {
  const lines: string[] = [];
  let read = 0;
  const emit = (operand: Operand): string => {
    if (operand.kind === "scalar") {
      if (elementType(operand.dataType) === "f32") return shader.float(operand.value);
      return elementType(operand.dataType) === "i32" ? shader.integer(operand.value) : shader.parameter(operand.value);
    }
    if (operand.kind === "view") return load(read++);
    const value = operand.code(operand.operands.map(emit), shader);
    const name = `y${lines.length}${suffix}`;
    lines.push(`let ${name} = ${value};`);
    return name;
  };
  return { result: emit(expression), lines };
}
