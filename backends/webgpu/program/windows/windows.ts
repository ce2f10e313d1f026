// Tensors that are larger than a binding. Think of a window as a part of a storage that is bound by itself: a kernel on views
// of large storages becomes several, each on a part of the views, along the axis that lies furthest apart in memory, in a window of each.
import type { Dimension, Shape } from "../../../../src/graph/mod.ts";
import { elementBytes, sliceView, type Storage, type View } from "../view.ts";

/** A window begins at a multiple of so many elements: at 256 bytes, the most that a device asks of a binding's offset. */
const alignment = 128;

const isKnown = (d: Dimension): d is number => typeof d === "number";

/** An axis of a view, and the most indices of it that a part has. */
export interface Section {
  readonly axis: number;
  readonly length: number;
  readonly step: number;
}

/** The parts of a section: where each begins, and its length. */
export function rangesOf({ length, step }: Section): [from: number, length: number][] {
  return Array.from({ length: Math.ceil(length / step) }, (_, i) => [i * step, Math.min(step, length - i * step)]);
}

/** Some indices of an axis. */
export function sliceAxis(view: View, axis: number, from: number, length: number): View {
  const starts = view.shape.map((_, i) => i === axis ? from : 0);
  return sliceView(view, starts, view.shape.map((d, i) => i === axis ? length : d));
}

/** The windows of a plan's large storages. */
export class Windows {
  readonly #large = new Set<Storage>();
  readonly #windows = new Map<Storage, Map<string, Storage>>();

  /** @param maxBinding The most bytes of a binding. */
  constructor(readonly maxBinding: number) {}

  /** Note how many elements a storage has, where that is known. */
  note(storage: Storage, shape: Shape): void {
    if (!shape.every(isKnown)) return;
    if (elementBytes(storage) * shape.reduce((a, b) => a * b, 1) > this.maxBinding) this.#large.add(storage);
  }

  /** Whether a storage is larger than a binding. */
  isLarge({ storage }: View): boolean {
    return this.#large.has(storage);
  }

  /** Cut views of the same shape into parts that can be bound; those of other storages than large ones are cut alike. */
  cut(views: readonly View[]): View[][] {
    if (!views.some((view) => this.isLarge(view))) return [[...views]];
    const unfit = views.find((view) => !this.#fits(view));
    const section = unfit && this.sectionOf(unfit);
    if (!section) return [views.map((view) => this.narrow(view))];
    return rangesOf(section).flatMap(([from, length]) =>
      this.cut(views.map((view) => sliceAxis(view, section.axis, from, length)))
    );
  }

  /** How a view is cut so that its parts come nearer to fitting in windows; undefined where it fits, or cannot be cut. */
  sectionOf(view: View): Section | undefined {
    if (this.#fits(view)) return undefined;
    const axis = outermost(view);
    const length = view.shape[axis];
    const most = isKnown(length) ? this.#most(view, axis) : Infinity;
    if (!isKnown(length) || most >= length) return undefined;
    // Whole vectors of fours of what lies along the axis.
    return { axis, length, step: most > alignment ? most - most % alignment : most };
  }

  #fits(view: View): boolean {
    const span = spanOf(view);
    return !this.isLarge(view) ||
      span !== undefined && elementBytes(view.storage) * (span + alignment) <= this.maxBinding;
  }

  /** How many indices of an axis of a view lie in one window: one at least. */
  #most(view: View, axis: number): number {
    const rest = spanOf({ ...view, shape: view.shape.map((d, i) => i === axis ? 1 : d) });
    const stride = view.strides[axis];
    if (stride === 0 || rest === undefined || !isKnown(stride)) return Infinity;
    return Math.max(1, Math.floor((this.maxBinding / elementBytes(view.storage) - alignment - rest) / stride) + 1);
  }

  /** The view in a window of its storage, where that is large. */
  narrow(view: View): View {
    const span = spanOf(view);
    const { storage, offset } = view;
    if (!this.isLarge(view) || span === undefined || !isKnown(offset)) return view;
    const from = Math.floor(offset / alignment) * alignment;
    const elements = Math.ceil((offset + span - from) / 4) * 4;
    const known = this.#windows.get(storage) ?? new Map<string, Storage>();
    const key = `${from} ${elements}`;
    const window = known.get(key) ?? { kind: "window", of: storage, from, elements };
    this.#windows.set(storage, known.set(key, window));
    return { ...view, storage: window, offset: offset - from };
  }
}

/** The axis whose indices lie furthest apart; −1 where no axis has several, or that is not known. */
function outermost({ shape, strides }: View): number {
  const steps = strides.map((stride, axis) => shape[axis] === 1 || !isKnown(stride) ? 0 : stride);
  const largest = Math.max(0, ...steps);
  return largest === 0 ? -1 : steps.indexOf(largest);
}

/** The elements from a view's first to its last; undefined where they are not known. */
function spanOf({ shape, strides }: View): number | undefined {
  let span = 1;
  for (const [axis, length] of shape.entries()) {
    const stride = strides[axis];
    if (length === 1 || stride === 0) continue;
    if (!isKnown(length) || !isKnown(stride)) return undefined;
    span += Math.max(0, length - 1) * stride;
  }
  return span;
}
