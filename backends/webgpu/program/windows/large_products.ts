// Products of which an operand or the result is larger than a binding. Think of the result as cut into blocks of rows and columns,
// and of the inputs as cut where an operand's are too many: each part is a product of its own, parts of the inputs are added up.
// What completes a product (bias, activation, residual) comes last, for all parts.
import type { Dimension } from "../../../../src/graph/mod.ts";
import { declareActivation } from "../../kernels/activations.ts";
import { elementwiseKernel, type Expression, withViews } from "../../kernels/elementwise.ts";
import type { Epilogue } from "../../kernels/epilogue.ts";
import type { Planner } from "../planner.ts";
import { broadcastView, isContiguous, reshapeView, type View } from "../view.ts";
import { rangesOf, sliceAxis } from "./windows.ts";

/** The product of two views: in parts all are of the same rank. */
interface Product {
  /** Shape [..., M, K]. */
  readonly a: View;
  /** Shape [..., K, N]. */
  readonly b: View;
  /** Shape [..., M, N]. */
  readonly target: View;
}

/** Adds the steps of a product whose views can be bound; target is contiguous. */
export type AddProduct = (product: Product, epilogue: Epilogue) => void;

/**
 * Add the steps of a product in parts.
 *
 * @param operands Whether the operands are bound, else only the result is.
 */
export function addLargeProduct(
  planner: Planner,
  { a, b, target }: Product,
  epilogue: Epilogue,
  { operands, add }: { readonly operands: boolean; readonly add: AddProduct },
): void {
  const batch = target.shape.slice(0, -2);
  const wide = (view: View) => broadcastView(view, [...batch, ...view.shape.slice(-2)]);
  const parts = new Parts(planner, operands, add);
  parts.add({ a: wide(a), b: wide(b), target });
  finish(planner, target, epilogue);
}

/** What is cut: an axis that the result has, or the inputs. */
type Cut = { readonly kind: "result"; readonly axis: number } | { readonly kind: "inputs" };

class Parts {
  constructor(readonly planner: Planner, readonly operands: boolean, readonly addPart: AddProduct) {}

  add(product: Product, accumulated?: View): void {
    const { windows } = this.planner;
    const rank = product.target.shape.length;
    const inputsOf = { target: -1, a: rank - 1, b: rank - 2 };
    for (const name of this.operands ? ["target", "a", "b"] as const : ["target"] as const) {
      const section = windows.sectionOf(product[name]);
      if (!section) continue;
      const { axis } = section;
      const cut: Cut = axis === inputsOf[name] ? { kind: "inputs" } : { kind: "result", axis };
      return this.#split(product, cut, rangesOf(section), accumulated);
    }
    const narrow = (view: View) => this.operands ? windows.narrow(view) : view;
    const own = { a: narrow(product.a), b: narrow(product.b), target: windows.narrow(product.target) };
    this.addPart(own, { residual: accumulated });
  }

  #split(product: Product, cut: Cut, ranges: readonly [from: number, length: number][], accumulated?: View): void {
    const { planner } = this;
    const { a, b, target } = product;
    const rank = target.shape.length;
    for (const [i, [from, length]] of ranges.entries()) {
      const slice = (view: View, axis: number) => sliceAxis(view, axis, from, length);
      if (cut.kind === "inputs") {
        const to = i === ranges.length - 1 ? target : planner.temporary(target.dataType, target.shape);
        this.add({ a: slice(a, rank - 1), b: slice(b, rank - 2), target: to }, accumulated);
        accumulated = to;
        continue;
      }
      const { axis } = cut;
      const own = slice(target, axis);
      const to = isContiguous(own) ? own : planner.temporary(own.dataType, own.shape);
      // Rows are a's, columns b's, and what is multiplied by itself is both's.
      const part = { a: axis === rank - 1 ? a : slice(a, axis), b: axis === rank - 2 ? b : slice(b, axis), target: to };
      this.add(part, accumulated && planner.contiguousView(slice(accumulated, axis)));
      if (to !== own) planner.copy(to, own);
    }
  }
}

/** Complete a product that stands in its target. */
function finish(planner: Planner, target: View, { bias, activation, residual }: Epilogue): void {
  if (!bias && !activation && !residual) return;
  const shape: readonly Dimension[] = target.shape;
  const views = [target, bias, residual && reshapeView(residual, shape)!].filter((view) => view !== undefined);
  const expression: Expression = {
    kind: "expression",
    dataType: target.dataType,
    shape,
    operands: views.map((view) => ({ kind: "view", view })),
    code: ([x, ...others], shader) => {
      const sum = bias ? `(${x} + ${others[0]})` : x;
      const value = activation ? `${declareActivation(shader, activation, "f32")}(${sum})` : sum;
      return residual ? `(${value} + ${others.at(-1)})` : value;
    },
  };
  const operands = views.map((view) => broadcastView(view, shape));
  for (const [part, ...parts] of planner.windows.cut([target, ...operands])) {
    planner.addDispatch(elementwiseKernel("finish", withViews(expression, parts, part.shape), part, planner.profile));
  }
}
