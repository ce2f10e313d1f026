// A position that an attention of one query appends to the cache before it reads that: its own key and value.
import type { Dimension } from "../../../src/graph/mod.ts";
import type { Resolve, View } from "../program/view.ts";
import type { AttentionShader } from "./attention_shader.ts";

/** A key and a value of each row, which are appended to the cache that attention reads. */
export interface AppendedPosition {
  /** Shape [rows, H, 1, D], its last axis contiguous. */
  readonly key: View;
  /** Shape [rows, H, 1, E], likewise. */
  readonly value: View;
  /** Where in the cache, or a view [rows] of where, contiguous; what would lie outside of it is left out. */
  readonly at: Dimension | View;
}

/** What a cacheAppend appends. */
export interface DeferredAppend {
  readonly x: View;
  readonly at: AppendedPosition["at"];
  /** Whether an attention does it, for the sizes of a binding; undefined where none does. */
  taken?: (resolve: Resolve) => boolean;
}

/**
 * Statements by which a workgroup appends `position` to the cache of its row and head, before any of its lanes reads it.
 *
 * @param attention A kernel that writes keys and values.
 * @param capacity The positions of the cache.
 */
export function appendPosition(
  { shader, store, counts, wide, steps }: AttentionShader,
  position: AppendedPosition,
  { capacity, lanes }: { capacity: Dimension; lanes: number },
): string {
  const { at } = position;
  const divided = wide ? " / 4u" : "";
  const row = typeof at === "object"
    ? shader.read(at.storage, "i32")(`${shader.parameter(at.offset)} + row`)
    : `i32(${shader.parameter(at)})`;
  const copy = (name: "key" | "value", from: View, count: number) => {
    const [ofRow, ofHead] = from.strides.map((d) => shader.parameter(d));
    const source = shader.read(from.storage, wide ? "vec4f" : "f32");
    const first = `(${shader.parameter(from.offset)} + row * ${ofRow} + head * ${ofHead})${divided}`;
    return `for (var i = lane; i < ${count}u; i += ${lanes}u) {
      ${store[name](`${name}_at + u32(position) * ${steps[name === "key" ? 0 : 1]} + i`, source(`${first} + i`))};
    }`;
  };
  return `let position = ${row};
  if (position >= 0 && u32(position) < ${shader.parameter(capacity)}) {
    ${copy("key", position.key, counts[0])}
    ${copy("value", position.value, counts[1])}
  }
  storageBarrier();`;
}
