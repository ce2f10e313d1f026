// Copies of values as texels, for the devices that read those faster. Think of it as a shelf beside a plan: the first product that
// wants a storage's texels adds a step that copies them, the next ones find the copy, and it is thrown away where the
// storage is written again. A copy is made only where one of the products that asked is the variant that runs.
import type { Shape } from "../../../../src/graph/mod.ts";
import { sizeOf } from "../../../../src/tensor/mod.ts";
import { texelAxis, type TexelOperand } from "../../kernels/texels/texel_matmul.ts";
import { copyKernel } from "../../kernels/movement.ts";
import type { Dispatch } from "../../kernels/shader.ts";
import type { Profile } from "../../device/profile.ts";
import type { Step } from "../step.ts";
import type { Windows } from "../windows/windows.ts";
import {
  type Resolve,
  type Resolved,
  rowMajor,
  type Storage,
  transposeView,
  type View,
  wholeStorage,
} from "../view.ts";

/** The elements from which on a kernel that reads each once is worth copies of its operands. */
const manyElements = 1 << 15;

/** Whether a step is done for the sizes that a program is bound for. */
export type Condition = (resolve: Resolve) => boolean;

/** Texels that one or more products read. */
interface Copy {
  readonly texels: Storage;
  readonly conditions: Condition[];
  /** Where the views end that are read. */
  readonly ends: Resolved[];
}

/** A view copied with rows whose length is a multiple of four. */
interface Padded {
  readonly of: View;
  readonly view: View;
  readonly conditions: Condition[];
}

const any = (conditions: readonly Condition[]): Condition => (resolve) => conditions.some((holds) => holds(resolve));

/** The element after a view's last. */
function endOf({ offset, shape, strides }: View): Resolved {
  return (resolve) =>
    shape.reduce<number>((sum, length, i) => sum + Math.max(0, resolve(length) - 1) * resolve(strides[i]), 1) +
    resolve(offset);
}

const isSame = (a: View, b: View): boolean =>
  a.offset === b.offset && a.shape.join() === b.shape.join() && a.strides.join() === b.strides.join();

/** What copies need of the plan that they are added to. */
interface Plan {
  readonly steps: Step[];
  readonly profile: Profile;
  readonly windows: Windows;
  /** New memory. */
  temporary(dataType: View["dataType"], shape: View["shape"]): View;
}

/** The copies that a plan has so far. */
export class TexelCopies {
  readonly #copies = new Map<Storage, Copy>();
  readonly #padded = new Map<Storage, Padded[]>();

  constructor(readonly plan: Plan) {}

  /** Forget the copies of a storage that is about to be written. */
  forget(storage: Storage): void {
    for (const copies of [this.#copies, this.#padded]) {
      for (const key of copies.keys()) if (wholeStorage(key) === wholeStorage(storage)) copies.delete(key);
    }
  }

  /** Texels of the storage of a view that has about as many elements as a kernel computes, if those are known to be many. */
  ofLarge(view: View, shape: Shape): Storage | undefined {
    if (![...shape, ...view.strides, view.offset].every((d) => typeof d === "number")) return undefined;
    const resolve = Number as Resolve;
    const elements = sizeOf(shape as number[]);
    const end = endOf(view)(resolve);
    const own = end - resolve(view.offset);
    if (elements < manyElements || 2 * own < elements || end > 2 * own) return undefined;
    return this.of(view, () => true);
  }

  /** Texels of the storage of a view, copied where a condition holds. */
  of(view: View, when: Condition): Storage {
    const { storage } = view;
    const found = this.#copies.get(storage);
    if (found) {
      found.conditions.push(when);
      found.ends.push(endOf(view));
      return found.texels;
    }
    const ends = [endOf(view)];
    const conditions = [when];
    const texels: Storage = {
      kind: "texels",
      elements: (resolve) => Math.max(...ends.map((end) => end(resolve))),
    };
    this.#copies.set(storage, { texels, conditions, ends });
    this.plan.steps.push([{ when: any(conditions), dispatch: copyDispatch(storage, texels) }, {}]);
    return texels;
  }

  /** A matrix that products can read as texels, or a copy of it with padded rows; undefined where its sizes are not known. */
  readable(view: View, when: Condition): View | undefined {
    return texelAxis(view) === undefined ? this.#pad(view, when) : view;
  }

  /** A matrix as products read it. */
  operand(view: View, when: Condition): TexelOperand | undefined {
    const readable = this.readable(view, when);
    return readable && { view: readable, texels: this.of(readable, when) };
  }

  #pad(view: View, when: Condition): View | undefined {
    const rank = view.shape.length;
    const isTransposed = view.strides[rank - 1] !== 1 && view.strides[rank - 2] === 1;
    const turn = (view: View): View => {
      const axes = view.shape.map((_, axis) => axis);
      return isTransposed ? transposeView(view, [...axes.slice(0, -2), rank - 1, rank - 2]) : view;
    };
    const own = turn(view);
    const known = this.#padded.get(own.storage) ?? [];
    const found = known.find(({ of }) => isSame(of, own));
    if (found) {
      found.conditions.push(when);
      return turn(found.view);
    }
    const width = own.shape[rank - 1];
    if (typeof width !== "number") return undefined;
    const padded = [...own.shape.slice(0, -1), Math.ceil(width / 4) * 4];
    const whole = this.plan.temporary(own.dataType, padded);
    const copy: View = { ...whole, shape: own.shape, strides: rowMajor(padded) };
    const conditions = [when];
    for (const [from, to] of this.plan.windows.cut([own, copy])) {
      this.plan.steps.push([{ when: any(conditions), dispatch: copyKernel(from, to, this.plan.profile) }, {}]);
    }
    this.#padded.set(own.storage, [...known, { of: own, view: copy, conditions }]);
    return turn(copy);
  }
}

/** A copy of a storage's beginning to texels: no kernel. */
function copyDispatch(from: Storage, texels: Storage): Dispatch {
  return {
    label: "copy to texels",
    code: "",
    storages: [from, texels],
    writes: [false, true],
    texels: [undefined, "rgba32float"],
    copies: true,
    parameters: [],
    workgroups: () => [1, 1, 1],
  };
}
