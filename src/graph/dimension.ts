// The length of an axis: a whole number, or an expression over named sizes such as "T", "past+T" or "batch*beams".
// An expression is a polynomial with whole coefficients, written in one canonical way, so equal lengths are equal strings.
import { ShapeError } from "../errors/mod.ts";

/** The length of an axis: a whole number, or a canonical expression over named sizes (`"batch*beams"`, `"past+T-1"`). */
export type Dimension = number | string;

/** A shape whose axes may be named. */
export type Shape = readonly Dimension[];

/** The values of named sizes, for one binding or one run. */
export type Sizes = Readonly<Record<string, number>>;

/** Coefficients by monomial; a monomial is its sorted names joined by "*", "" for the constant. */
type Polynomial = ReadonlyMap<string, number>;

const parsed = new Map<string, Polynomial>();

function parse(dimension: Dimension): Polynomial {
  if (typeof dimension === "number") return new Map([["", dimension]]);
  let terms = parsed.get(dimension);
  if (!terms) {
    if (!/^-?\w+(\*\w+)*([+-]\w+(\*\w+)*)*$/.test(dimension)) {
      throw new ShapeError(
        `Cannot read the dimension "${dimension}": expected names and whole numbers joined by +, - and *`,
      );
    }
    const sum = new Map<string, number>();
    for (const [, sign, product] of dimension.matchAll(/([+-]?)(\w+(?:\*\w+)*)/g)) {
      const factors = product.split("*");
      const names = factors.filter((factor) => !/^\d+$/.test(factor)).sort();
      const coefficient = factors.filter((factor) => /^\d+$/.test(factor)).reduce((p, n) => p * Number(n), 1);
      const key = names.join("*");
      sum.set(key, (sum.get(key) ?? 0) + (sign === "-" ? -coefficient : coefficient));
    }
    parsed.set(dimension, terms = sum);
  }
  return terms;
}

function format(terms: Polynomial): Dimension {
  const kept = [...terms].filter(([, coefficient]) => coefficient !== 0).sort(([a], [b]) =>
    a === "" ? 1 : b === "" ? -1 : a < b ? -1 : 1
  );
  if (kept.length === 0) return 0;
  if (kept.length === 1 && kept[0][0] === "") return kept[0][1];
  let text = "";
  for (const [names, coefficient] of kept) {
    const size = Math.abs(coefficient);
    const term = names === "" ? `${size}` : size === 1 ? names : `${size}*${names}`;
    text += (coefficient < 0 ? "-" : text ? "+" : "") + term;
  }
  return text;
}

/** The canonical forms of expressions: a graph asks for the same few again for every node. */
const canonical = new Map<string, Dimension>();

/** Write a dimension in its canonical form, so that equal lengths compare equal with `===`. */
export function dimension(text: Dimension): Dimension {
  if (typeof text === "number") return text;
  let form = canonical.get(text);
  if (form === undefined) canonical.set(text, form = format(parse(text)));
  return form;
}

/** The sum of two dimensions, or their difference with `sign` -1. */
export function addDimensions(a: Dimension, b: Dimension, sign: 1 | -1 = 1): Dimension {
  if (typeof a === "number" && typeof b === "number") return a + sign * b;
  const sum = new Map(parse(a));
  for (const [key, coefficient] of parse(b)) sum.set(key, (sum.get(key) ?? 0) + sign * coefficient);
  return format(sum);
}

/** The products of named axes: a graph asks for those of the same few shapes again for every node. */
const products = new Map<string, Dimension>();

/** The product of dimensions: the number of elements of an array with these axes. */
export function multiplyDimensions(...dimensions: Dimension[]): Dimension {
  let factor = 1;
  const named: string[] = [];
  for (const length of dimensions) {
    if (typeof length === "number") factor *= length;
    else named.push(length);
  }
  if (named.length === 0) return factor;
  const key = `${factor} ${named.join(" ")}`;
  let product = products.get(key);
  if (product === undefined) products.set(key, product = multiply([factor, ...named]));
  return product;
}

function multiply(dimensions: readonly Dimension[]): Dimension {
  return dimensions.reduce((a, b) => {
    if (typeof a === "number" && typeof b === "number") return a * b;
    const product = new Map<string, number>();
    for (const [x, m] of parse(a)) {
      for (const [y, n] of parse(b)) {
        const key = [...x.split("*"), ...y.split("*")].filter(Boolean).sort().join("*");
        product.set(key, (product.get(key) ?? 0) + m * n);
      }
    }
    return format(product);
  }, 1);
}

/** The exact quotient of two dimensions, or undefined where `b` (one term) does not divide every term of `a`. */
export function divideDimensions(a: Dimension, b: Dimension): Dimension | undefined {
  if (a === b && a !== 0) return 1;
  const divisor = [...parse(b)];
  if (divisor.length !== 1 || divisor[0][1] === 0) return undefined;
  const [[names, coefficient]] = divisor;
  const quotient = new Map<string, number>();
  for (const [key, value] of parse(a)) {
    const left = key.split("*").filter(Boolean);
    for (const name of names.split("*").filter(Boolean)) {
      const at = left.indexOf(name);
      if (at < 0) return undefined;
      left.splice(at, 1);
    }
    if (value % coefficient !== 0) return undefined;
    quotient.set(left.join("*"), value / coefficient);
  }
  return format(quotient);
}

/** The names that a dimension is made of. */
export function dimensionNames(dimension: Dimension): string[] {
  return [...new Set([...parse(dimension).keys()].flatMap((key) => key.split("*")).filter(Boolean))];
}

/** The terms of expressions that were resolved, so that resolving one again takes no more than its arithmetic. */
const resolved = new Map<string, readonly { readonly coefficient: number; readonly names: readonly string[] }[]>();

/**
 * The number that a dimension is for given sizes; a position may be negative, a length may not.
 *
 * @throws {ShapeError} If a name has no size.
 */
export function resolveDimension(dimension: Dimension, sizes: Sizes): number {
  if (typeof dimension === "number") return dimension;
  let terms = resolved.get(dimension);
  if (!terms) {
    terms = [...parse(dimension)].map(([key, coefficient]) => ({ coefficient, names: key ? key.split("*") : [] }));
    resolved.set(dimension, terms);
  }
  let total = 0;
  for (const { coefficient, names } of terms) {
    let product = coefficient;
    for (const name of names) {
      const size = sizes[name];
      if (size === undefined) {
        throw new ShapeError(`Cannot resolve the dimension "${dimension}": no size is given for "${name}"`);
      }
      product *= size;
    }
    total += product;
  }
  return total;
}

/**
 * The shape that has every named axis replaced by its length.
 *
 * @throws {ShapeError} If a name has no size, or a length would be negative.
 */
export function resolveShape(shape: Shape, sizes: Sizes): number[] {
  return shape.map((dimension) => {
    const length = resolveDimension(dimension, sizes);
    if (length < 0) throw new ShapeError(`Cannot resolve the dimension "${dimension}": it would be ${length}`);
    return length;
  });
}

/** A shape for people: `[batch, 197, 768]`. */
export function formatShape(shape: Shape): string {
  return `[${shape.join(", ")}]`;
}
