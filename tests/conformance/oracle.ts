// The oracle: a graph's results in float64, each with a bound of how far from it a right device may be. bounds.ts derives
// the bounds. The numbers are the reference backend's kernels', which take float64 as they take float32.
import type { Kernel } from "../../backends/reference/kernel.ts";
import { kernels } from "../../backends/reference/program.ts";
import {
  constantOperator,
  type Graph,
  isLeaf,
  type NamedLeaf,
  type Node,
  resolveShape,
  type Sizes,
  type Value,
  writtenLeaf,
} from "../../src/graph/mod.ts";
import type { PrimitiveName } from "../../src/operators/mod.ts";
import { legalize } from "../../src/passes/mod.ts";
import { isFloat, Tensor, toFloat32 } from "../../src/tensor/mod.ts";
import { type Bounded, type Rule, rules, ulp } from "./bounds.ts";

/** What a device is given: a tensor as it is, or one of which only this much is known. */
export type Given = Readonly<Record<string, Tensor | Bounded>>;

/** Errors that a backend is granted of a primitive beyond its rule's. */
export type Grants = Partial<Record<PrimitiveName, number>>;

/** Numbers in memory of their own, with the error of each. */
function widen(x: Tensor, errorOf: (x: number) => number = () => 0): Bounded {
  const value = isFloat(x.dataType)
    ? new Tensor("float64", x.shape, Float64Array.from(toFloat32(x.dataType, x.data)))
    : new Tensor(x.dataType, x.shape, x.data.slice());
  const error = Float64Array.from(value.data as ArrayLike<number>, (x) => errorOf(Number(x)));
  return { value, error: new Tensor("float64", x.shape, error) };
}

/** What stands for numbers that float32 rounded. */
export function roundedTo32(x: Tensor): Bounded {
  return widen(x, (x) => ulp(x) / 2);
}

function copy({ value, error }: Bounded): Bounded {
  const each = ({ dataType, shape, data }: Tensor) => new Tensor(dataType, shape, data.slice());
  return { value: each(value), error: each(error) };
}

function leaf({ operator, attributes }: Node, given: Given): Bounded {
  if (operator === constantOperator) {
    // A fraction stands for a number that float32 rounded, such as 1 / √2: kernels may have it in another form.
    return widen((attributes as { tensor: Tensor }).tensor, (x) => Number.isInteger(x) ? 0 : ulp(x) / 2);
  }
  const x = given[(attributes as NamedLeaf).name];
  return "error" in x ? copy(x) : widen(x);
}

function compute(node: Node, inputs: readonly Bounded[], sizes: Sizes, granted: number): Bounded[] {
  const { operator, attributes, outputs } = node;
  const kernel = kernels[operator.name as PrimitiveName] as Kernel<object>;
  const rule = rules[operator.name as PrimitiveName] as Rule;
  const shapes = outputs.map(({ shape }) => resolveShape(shape, sizes));
  const wide = shapes.map((shape) => ({ dataType: "float64", shape } as const));
  const own = outputs.map(({ dataType }, i) => dataType === "float32" ? wide[i] : { dataType, shape: shapes[i] });
  const values = kernel(inputs.map(({ value }) => value), attributes, { sizes, outputs: own });
  const apply = (numbers: readonly Tensor[], changed = attributes) =>
    kernel(numbers, changed, { sizes, outputs: wide })[0];
  const errors = rule({ inputs, attributes, value: values[0], apply });
  return values.map((value, i) => {
    // What overflows, or is divided by what may be 0, has no bound.
    const error = i > 0 ? new Float64Array(value.size) : errors.map((e) => Number.isNaN(e) ? Infinity : e + granted);
    return { value, error: new Tensor("float64", value.shape, error) };
  });
}

/**
 * Compute a graph.
 *
 * @param given Its inputs, its states and its parameters.
 * @returns Its outputs, and its states and the parameters that it writes as they are afterwards.
 */
export function evaluate(
  graph: Graph,
  given: Given,
  { sizes = {}, grants = {} }: { readonly sizes?: Sizes; readonly grants?: Grants } = {},
): Record<string, Bounded> {
  const primitive = legalize(graph, ({ operator }) => !operator.decompose);
  const values = new Map<Value, Bounded>();
  const written: Record<string, Bounded> = {};
  for (const node of primitive.nodes) {
    const { operator, inputs, outputs } = node;
    const granted = grants[operator.name as PrimitiveName] ?? 0;
    const results = isLeaf(operator)
      ? [leaf(node, given)]
      : compute(node, inputs.map((value) => values.get(value)!), sizes, granted);
    outputs.forEach((value, i) => values.set(value, results[i]));
    if (operator.writesState) written[(writtenLeaf(node).attributes as NamedLeaf).name] = results[0];
  }
  const named = ([name, value]: [string, Value]) => [name, values.get(value)!];
  return { ...Object.fromEntries([...primitive.states, ...primitive.outputs].map(named)), ...written };
}
