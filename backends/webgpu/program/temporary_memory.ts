// Which of a run's temporaries share a buffer: after the last use of one temporary, another takes its buffer.
import type { Dispatch } from "../kernels/shader.ts";
import { elementBytes, type Resolve, type Storage, wholeStorage } from "./view.ts";

/** The memory of one kind that a run needs: buffers for its temporaries, or textures for its texels. */
export interface Memory {
  /** The bytes of each. */
  readonly sizes: readonly number[];
  /** Which of them a temporary has. */
  readonly slots: ReadonlyMap<Storage, number>;
}

/** Give every temporary, or all texels, of dispatches, in their order, memory. */
export function planMemory(
  dispatches: readonly Dispatch[],
  resolve: Resolve,
  kind: "temporary" | "texels",
): Memory {
  const lastUse = new Map<Storage, number>();
  const used = dispatches.map(({ storages }) => storages.map(wholeStorage));
  used.forEach((storages, at) => storages.forEach((storage) => lastUse.set(storage, at)));
  // Slots of bytes, each to become one buffer; a slot may still grow, as nothing is allocated yet.
  const slots: { bytes: number; free: boolean }[] = [];
  const slotOf = new Map<Storage, number>();
  used.forEach((storages, at) => {
    for (const storage of storages) {
      if (storage.kind !== kind || slotOf.has(storage)) continue;
      slotOf.set(storage, takeSlot(slots, elementBytes(storage) * storage.elements(resolve)));
    }
    for (const storage of new Set(storages)) {
      const slot = slotOf.get(storage);
      if (slot !== undefined && lastUse.get(storage) === at) slots[slot].free = true;
    }
  });
  return { sizes: slots.map(({ bytes }) => bytes), slots: slotOf };
}

/** The smallest free slot that is large enough, else the largest free one, grown, else a new one. */
function takeSlot(slots: { bytes: number; free: boolean }[], bytes: number): number {
  let best = -1;
  for (const [i, slot] of slots.entries()) {
    if (!slot.free) continue;
    if (best < 0) best = i;
    const [a, b] = [slot.bytes, slots[best].bytes];
    if (b < bytes ? a > b : a >= bytes && a < b) best = i;
  }
  if (best < 0) return slots.push({ bytes, free: false }) - 1;
  slots[best] = { bytes: Math.max(bytes, slots[best].bytes), free: false };
  return best;
}
