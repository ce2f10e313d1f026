// The gradient rule of every primitive, and of the composites that have a better rule than their decomposition gives.
// g is the gradient of the loss with respect to the output y. A rule returns undefined for an input that has no gradient.
import { addDimensions, type Dimension, multiplyDimensions, type Shape, type Value } from "../graph/mod.ts";
import {
  add,
  type AttributesOf,
  cast,
  clearRowPositions,
  type CompositeName,
  cumulativeSum,
  div,
  dropout,
  equal,
  exp,
  expand,
  gather,
  greaterOrEqual,
  matmul,
  mul,
  neg,
  type NoAttributes,
  normalizeAxis,
  pad,
  pow,
  type PrimitiveName,
  range,
  reduceSum,
  type ReductionAttributes,
  reshape,
  sameShape,
  scatter,
  scatterAdd,
  slice,
  sub,
  takeRowPositions,
  transpose,
  transposeLast,
  where,
} from "../operators/mod.ts";
import { isFloat } from "../tensor/mod.ts";

/** The node that a rule differentiates. */
export interface GradientContext<A> {
  readonly inputs: readonly Value[];
  readonly outputs: readonly Value[];
  readonly attributes: A;
}

/** The gradients for a node's inputs from that of its first output (`g`). */
export type GradientRule<A> = (g: Value, context: GradientContext<A>) => readonly (Value | undefined)[];

const none = () => [];
const scalarLike = (x: Value, value: number): Value => x.builder.scalar(value, x.dataType);

/** Sum a gradient over the axes that broadcasting added or stretched, so that it has `shape` again. */
function sumTo(gradient: Value, shape: Shape): Value {
  if (sameShape(gradient.shape, shape)) return gradient;
  const added = gradient.rank - shape.length;
  const axes = gradient.shape.flatMap((dimension, i) => i < added || shape[i - added] !== dimension ? [i] : []);
  return reshape(axes.length ? reduceSum(gradient, { axes, keepDimensions: true }) : gradient, { shape });
}

/** All rows of a value as one matrix. */
function asMatrix(x: Value): Value {
  return reshape(x, { shape: [multiplyDimensions(1, ...x.shape.slice(0, -1)), x.shape.at(-1)!] });
}

/** aᵀ · g, the gradient of a matrix b; turned where b is, so that what b was turned from gets its gradient as it lies. */
function matrixGradient(a: Value, g: Value, { node }: Value): Value {
  if (node.operator.name === "transpose") return transposeLast(matmul(transposeLast(g), a));
  return matmul(transposeLast(a), g);
}

/** A reduction's result with the reduced axes put back, broadcast to x. */
function spread(value: Value, x: Value, { axes }: ReductionAttributes): Value {
  const reduced = new Set(axes.map((axis) => normalizeAxis(axis, x.rank)));
  return expand(reshape(value, { shape: x.shape.map((d, i) => reduced.has(i) ? 1 : d) }), { shape: x.shape });
}

function binary(rule: (g: Value, a: Value, b: Value, y: Value) => [Value, Value]): GradientRule<NoAttributes> {
  return (g, { inputs: [a, b], outputs: [y] }) => {
    const [ga, gb] = rule(g, a, b, y);
    return [sumTo(ga, a.shape), sumTo(gb, b.shape)];
  };
}

/** The rules; a backend needs none of them, since the gradient of a program is another program. */
export const gradientRules:
  & { [K in PrimitiveName]: GradientRule<AttributesOf<K>> }
  & { [K in CompositeName]?: GradientRule<AttributesOf<K>> } = {
    add: binary((g) => [g, g]),
    sub: binary((g) => [g, neg(g)]),
    mul: binary((g, a, b) => [mul(g, b), mul(g, a)]),
    div: binary((g, _a, b, y) => [div(g, b), neg(div(mul(g, y), b))]),
    equal: none,
    greaterOrEqual: none,
    sqrt: (g, { outputs: [y] }) => [div(mul(g, scalarLike(y, 0.5)), y)],
    exp: (g, { outputs: [y] }) => [mul(g, y)],
    log: (g, { inputs: [x] }) => [div(g, x)],
    tanh: (g, { outputs: [y] }) => [mul(g, sub(scalarLike(y, 1), mul(y, y)))],
    // d/dx erf(x) = 2/√π · exp(−x²)
    erf: (g, { inputs: [x] }) => [mul(mul(g, scalarLike(x, 2 / Math.sqrt(Math.PI))), exp(neg(mul(x, x))))],
    sigmoid: (g, { outputs: [y] }) => [mul(g, mul(y, sub(scalarLike(y, 1), y)))],
    relu: (g, { inputs: [x] }) => [where(greaterOrEqual(scalarLike(x, 0), x), scalarLike(x, 0), g)],
    neg: (g) => [neg(g)],
    // 0 at 0, as in PyTorch.
    abs: (g, { inputs: [x] }) => [
      where(equal(x, scalarLike(x, 0)), scalarLike(x, 0), where(greaterOrEqual(x, scalarLike(x, 0)), g, neg(g))),
    ],
    pow: (g, { inputs: [x], attributes: { exponent } }) => [
      mul(g, mul(scalarLike(x, exponent), pow(x, { exponent: exponent - 1 }))),
    ],
    where: (g, { inputs: [condition, a, b] }) => [
      undefined,
      sumTo(where(condition, g, scalarLike(g, 0)), a.shape),
      sumTo(where(condition, scalarLike(g, 0), g), b.shape),
    ],
    cast: (g, { inputs: [x] }) => [isFloat(x.dataType) ? cast(g, { dataType: x.dataType }) : undefined],
    reshape: (g, { inputs: [x] }) => [reshape(g, { shape: x.shape })],
    transpose: (g, { attributes: { permutation } }) => [
      transpose(g, { permutation: permutation.map((_, i) => permutation.indexOf(i)) }),
    ],
    expand: (g, { inputs: [x] }) => [sumTo(g, x.shape)],
    concat: (g, { inputs, attributes: { axis } }) => {
      const along = normalizeAxis(axis, g.rank);
      let start: Dimension = 0;
      return inputs.map((input) => {
        const starts = g.shape.map((_, i) => i === along ? start : 0);
        start = addDimensions(start, input.shape[along]);
        return slice(g, { starts, sizes: input.shape });
      });
    },
    slice: (g, { inputs: [x], attributes: { starts, sizes } }) => [
      pad(g, {
        beginning: starts,
        ending: x.shape.map((length, i) => addDimensions(length, addDimensions(starts[i], sizes[i]), -1)),
      }),
    ],
    pad: (g, { inputs: [x], attributes: { beginning } }) => [slice(g, { starts: beginning, sizes: x.shape })],
    matmul: (g, { inputs: [a, b] }) => [
      sumTo(matmul(g, transposeLast(b)), a.shape),
      b.rank === 2 ? matrixGradient(asMatrix(a), asMatrix(g), b) : sumTo(matmul(transposeLast(a), g), b.shape),
    ],
    reduceSum: (g, { inputs: [x], attributes }) => [spread(g, x, attributes)],
    // Equal maxima share the gradient, as in torch.amax.
    reduceMax: (g, { inputs: [x], outputs: [y], attributes }) => {
      const isMaximum = equal(x, spread(y, x, attributes));
      const count = reduceSum(cast(isMaximum, { dataType: x.dataType }), { ...attributes, keepDimensions: true });
      return [where(isMaximum, div(spread(g, x, attributes), count), scalarLike(x, 0))];
    },
    cumulativeSum: (g, { attributes: { axis, reversed } }) => [cumulativeSum(g, { axis, reversed: !reversed })],
    argMax: none,
    // Each chosen value gives its gradient to its place: a sum over k of one-hot rows.
    topK: (g, { inputs: [x], outputs: [, indices] }) => {
      const places = range(x.builder, { size: x.shape[x.rank - 1] });
      const chosen = equal(reshape(indices, { shape: [...indices.shape, 1] }), places);
      return [
        reduceSum(where(chosen, reshape(g, { shape: [...g.shape, 1] }), scalarLike(g, 0)), { axes: [-2] }),
      ];
    },
    range: none,
    gather: (g, { inputs: [table, indices], attributes: { axis } }) => {
      const at = normalizeAxis(axis, table.rank);
      const width = indices.rank;
      // The gathered axes first, then the table's others; and back.
      const forth = [...Array.from({ length: width }, (_, i) => at + i), ...g.shape.keys()].filter((a, i, all) =>
        all.indexOf(a) === i
      );
      const back = table.shape.map((_, i) => i < at ? i + 1 : i === at ? 0 : i);
      const sum = scatterAdd(indices, transpose(g, { permutation: forth }), { size: table.shape[at] });
      return [transpose(sum, { permutation: back }), undefined];
    },
    scatterAdd: (g, { inputs: [indices] }) => [undefined, gather(g, indices, { axis: 0 })],
    scatter: (g, { inputs: [, indices, updates] }) => {
      const none = expand(g.builder.scalar(0, g.dataType), { shape: updates.shape });
      return [scatter(g, indices, none), undefined, gather(g, indices, { axis: 0 })];
    },
    cacheAppend: (g, { inputs: [state, x, own], attributes: { axis, at = 0 } }) => {
      const along = normalizeAxis(axis, x.rank);
      if (own) {
        const places = { axis: along, at: own, size: x.shape[along] };
        const kept = isFloat(state.dataType) ? clearRowPositions(g, places) : undefined;
        return [kept, takeRowPositions(g, places), undefined];
      }
      const starts = x.shape.map((_, i) => i === along ? at : 0);
      const written = slice(g, { starts, sizes: x.shape });
      const ending = g.shape.map((d, i) => addDimensions(addDimensions(d, starts[i], -1), x.shape[i], -1));
      const kept = isFloat(state.dataType) ? sub(g, pad(written, { beginning: starts, ending })) : undefined;
      return [kept, written];
    },
    assign: (g) => [undefined, g],
    bernoulli: none,
    // What was dropped is dropped again: the same key and stream draw the same.
    dropout: (g, { inputs: [, key], attributes }) => [dropout(g, key, attributes), undefined],
    softmax: (g, { outputs: [y], attributes: { axis } }) => [
      mul(y, sub(g, reduceSum(mul(g, y), { axes: [axis], keepDimensions: true }))),
    ],
    logSoftmax: (g, { outputs: [y], attributes: { axis } }) => [
      sub(g, mul(exp(y), reduceSum(g, { axes: [axis], keepDimensions: true }))),
    ],
  };

/** Add up the gradients that reach a value from its uses. */
export function accumulate(sum: Value | undefined, gradient: Value): Value {
  return sum ? add(sum, gradient) : gradient;
}
