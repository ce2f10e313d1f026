// Kernels that move data: copies between strided views, filling, gather and scatter, reordering of caches, ranges, numbers held as
// float16, two in a word.
import { type Dimension, divideDimensions, multiplyDimensions } from "../../../src/graph/mod.ts";
import type { AttributesOf } from "../../../src/operators/mod.ts";
import type { Profile } from "../device/profile.ts";
import { rowMajor, type Storage, type View } from "../program/view.ts";
import { bitsOfFloat16, float16OfBits, toFloat16 } from "./float_bits.ts";
import { declareWeight, type MatrixWeights } from "./matrix_weights.ts";
import { type PanelWeights, placeInPanels } from "./panel_matmul.ts";
import { type Dispatch, elementCount, elementType, Shader } from "./shader.ts";
import { inFours } from "./texels/elementwise_fours.ts";
import { declareNumber } from "./texels/texel_weights.ts";

/** Copy elements from one view to another of the same shape; for a processor four at a time where they lie side by side. */
export function copyKernel(from: View, to: View, profile: Profile): Dispatch {
  const fours = profile.texels && inFours(to.shape, [to, from]);
  const isWide = fours?.isVector[1] === true;
  const { shape, places: [out, at] } = isWide ? fours : { shape: to.shape, places: [to, from] };
  const shader = new Shader(isWide ? "copy fours" : "copy");
  const type = isWide ? "vec4<u32>" : "u32";
  const source = shader.read(from.storage, type);
  const target = shader.write(to.storage, type);
  const places = shader.places(shape, "index", { out, at });
  return shader.elements(`${places}\n  ${target.store("out", source("at"))};`, elementCount(shape), profile.lanes);
}

/**
 * Write rows to a state, each from its own position of an axis on; what would lie outside of the axis is left out.
 *
 * @param at The positions, [rows], contiguous.
 */
export function appendRowsKernel(
  from: View,
  state: View,
  { axis, at }: { axis: number; at: View },
  profile: Profile,
): Dispatch {
  const shader = new Shader("append rows");
  // Bound first, as what is appended may be read from the state.
  const target = shader.write(state.storage, "u32");
  const source = shader.read(from.storage, "u32");
  const positions = shader.read(at.storage, "i32");
  const block = from.shape.slice(axis + 1);
  const [row, inner, count, capacity, stride, first] = [
    elementCount(from.shape.slice(1)),
    elementCount(block),
    from.shape[axis],
    state.shape[axis],
    state.strides[axis],
    at.offset,
  ].map((d) => shader.parameter(d));
  const body = `let begin = ${positions(`${first} + index / ${row}`)};
  let position = u32(begin) + (index / ${inner}) % ${count};
  if (begin < 0 || position >= ${capacity}) { return; }
  ${shader.places(from.shape, "index", { out: state, at: from })}
  ${target.store(`out + u32(begin) * ${stride}`, source("at"))};`;
  return shader.elements(body, elementCount(from.shape), profile.lanes);
}

/** Write one number to every element of a view. */
export function fillKernel(to: View, value: number, profile: Profile): Dispatch {
  const shader = new Shader("fill");
  const type = elementType(to.dataType);
  const number = type === "f32" ? shader.float(value) : `${type}(${shader.integer(value)})`;
  const target = shader.write(to.storage, type);
  const places = shader.places(to.shape, "index", { out: to });
  return shader.elements(`${places}\n  ${target.store("out", number)};`, elementCount(to.shape), profile.lanes);
}

/** start, start + 1, … */
export function rangeKernel(to: View, start: Dimension, profile: Profile): Dispatch {
  const shader = new Shader("range");
  const type = elementType(to.dataType);
  const first = typeof start === "number" ? shader.integer(start) : `i32(${shader.parameter(start)})`;
  const target = shader.write(to.storage, type);
  return shader.elements(
    `${target.store("index", `${type}(${first} + i32(index))`)};`,
    elementCount(to.shape),
    profile.lanes,
  );
}

/** What `gatherKernel` reads: entries `from` and on of a table, as [outer, entries, block]. */
export interface TablePart {
  readonly table: View;
  readonly outer: Dimension;
  readonly entries: Dimension;
  readonly block: Dimension;
  /** The part's first entry, where a table is bound in parts: others are left as they are. */
  readonly from?: number;
  /** How the entries are read where they are outputs in panels that are texels. */
  readonly panels?: PanelWeights;
  /** The panels' padded inputs, where entries are outputs in panels of a buffer; else the table is contiguous. */
  readonly depth?: number;
  /** How the entries are read where they are outputs of a matrix, rounded or padded. */
  readonly matrix?: MatrixWeights;
}

/** out[o, j, b] = table[o, indices[j], b]. An index out of range takes the nearest entry. */
export function gatherKernel(part: TablePart, indices: View, to: View, profile: Profile): Dispatch {
  const { table, outer, entries, block, from, depth, matrix, panels } = part;
  const shader = new Shader("gather");
  const number = panels
    ? `bitcast<u32>(${declareNumber(shader, panels, Number(block))}(entry, inner))`
    : matrix
    ? `bitcast<u32>(${declareWeight(shader, matrix)}(entry, inner / 4u)[inner % 4u])`
    : shader.read(table.storage, "u32")("source_at");
  const ids = shader.read(indices.storage, "i32");
  const target = shader.write(to.storage, "u32");
  const [width, count, length] = [block, elementCount(indices.shape), entries].map((d) => shader.parameter(d));
  const first = from === undefined ? "" : `
  let begin = i32(${shader.parameter(from)});
  if (id < begin || id >= begin + i32(${length})) { return; }
  let entry = u32(id - begin);`;
  const place = depth === undefined
    ? `((place_rest / ${count}) * ${length} + entry) * ${width} + inner`
    : placeInPanels("entry", "inner", shader.parameter(depth));
  const body = `let inner = index % ${width};
  let place_rest = index / ${width};
  let item = place_rest % ${count};
  ${shader.places(indices.shape, "item", { at: indices })}
  let id = ${ids("at")};${first || `\n  let entry = u32(clamp(id, 0, i32(${length}) - 1));`}
  let source_at = ${matrix || panels ? "0u" : `${place} + ${shader.parameter(table.offset)}`};
  ${target.store("index", number)};`;
  return shader.elements(body, elementCount([outer, ...indices.shape, block]), profile.lanes);
}

/** to[indices[j], b] = updates[j, b]: an invocation for each j and b. All views are contiguous. */
export function scatterKernel(indices: View, updates: View, to: View, block: Dimension, profile: Profile): Dispatch {
  const shader = new Shader("scatter");
  const ids = shader.read(indices.storage, "i32");
  const source = shader.read(updates.storage, "u32");
  const target = shader.write(to.storage, "u32");
  const [width, length, ids0, source0] = [block, to.shape[0], indices.offset, updates.offset].map((d) =>
    shader.parameter(d)
  );
  const body = `let id = u32(clamp(${ids(`${ids0} + index / ${width}`)}, 0, i32(${length}) - 1));
  ${target.store(`id * ${width} + index % ${width}`, source(`${source0} + index`))};`;
  return shader.elements(body, elementCount(updates.shape), profile.lanes);
}

/**
 * Replace each row i of a state by its row `rows[i]`, which is of the same group, in the first `length` positions of an axis.
 * One invocation reads an element of all rows of a group before it writes any, so that the state can be written in place.
 *
 * @param state Contiguous.
 */
export function reorderKernel(
  state: View,
  rows: View,
  { axis, length, group }: AttributesOf<"cacheReorder">,
  profile: Profile,
): Dispatch {
  const shader = new Shader("cacheReorder");
  // The innermost elements are moved by four where they can.
  const last = state.shape.at(-1);
  const pack = axis < state.shape.length - 1 && typeof last === "number" && last % 4 === 0 ? 4 : 1;
  const type = pack === 4 ? "vec4<u32>" : "u32";
  const data = shader.write(state.storage, type);
  const ids = shader.read(rows.storage, "i32");
  const shape = state.shape.slice(1).map((d, i) => i + 1 === axis ? length : d);
  const packed = (d: Dimension) => divideDimensions(d, pack)!;
  const whole = state.shape.slice(1);
  if (pack === 4) { for (const list of [shape, whole]) list[list.length - 1] = packed(last!); }
  const strides = rowMajor(whole);
  const [each, row] = [elementCount(shape), elementCount(whole)].map((d) => shader.parameter(d));
  const groups = divideDimensions(state.shape[0], group)!;
  const other = `let other = u32(${ids(`${shader.parameter(rows.offset)} + first + i`)});`;
  const body = `let first = (index / ${each}) * ${group}u;
  let element = index % ${each};
  ${shader.places(shape, "element", { at: { strides, offset: 0 } })}
  var moved: array<${type}, ${group}>;
  for (var i = 0u; i < ${group}u; i++) {
    ${other}
    if (other != first + i) { moved[i] = ${data.load(`other * ${row} + at`)}; }
  }
  for (var i = 0u; i < ${group}u; i++) {
    ${other}
    if (other != first + i) { ${data.store(`(first + i) * ${row} + at`, "moved[i]")}; }
  }`;
  return shader.elements(body, multiplyDimensions(groups, elementCount(shape)), profile.lanes);
}

/** How many indices one dispatch of `scatterAddKernel` takes. */
const scatterStep = 32_768;

/** Entries `from` and on of `entries` that updates are added to: others are left out. */
export interface ScatterPart {
  readonly target: View;
  readonly from: number;
  readonly entries: Dimension;
}

/** to[indices[j], b] += updates[j, b], in order: an invocation for each b. All views are contiguous. */
export function scatterAddKernel(
  indices: View,
  updates: View,
  { target: to, from, entries }: ScatterPart,
  block: Dimension,
  profile: Profile,
): Dispatch {
  const shader = new Shader("scatterAdd");
  const ids = shader.read(indices.storage, "i32");
  const source = shader.read(updates.storage, "f32");
  const target = shader.write(to.storage, "f32");
  const count = elementCount(indices.shape);
  const [all, width, length, first, own] = [count, block, entries, from, to.shape[0]].map((d) => shader.parameter(d));
  const [ids0, source0] = [indices, updates].map(({ offset }) => shader.parameter(offset));
  const begin = shader.repeat(count, scatterStep);
  const body = `let end = min(${all}, ${begin} + ${scatterStep}u);
  for (var j = ${begin}; j < end; j++) {
    let id = u32(clamp(${ids(`${ids0} + j`)}, 0, i32(${length}) - 1));
    if (id < ${first} || id >= ${first} + ${own}) { continue; }
    let at = ${shader.parameter(to.offset)} + (id - ${first}) * ${width} + index;
    ${target.store("at", `${target.load("at")} + ${source(`${source0} + j * ${width} + index`)}`)};
  }`;
  return shader.elements(body, block, profile.lanes, { iterations: () => scatterStep });
}

/** Round the elements of a contiguous view, float32, to float16, two in each word of `words`. */
export function halvesKernel(from: View, words: Storage, profile: Profile): Dispatch {
  const shader = new Shader("to halves");
  const source = shader.read(from.storage, "f32");
  const target = shader.write(words, "u32");
  const count = elementCount(from.shape);
  const [total, offset] = [count, from.offset].map((size) => shader.parameter(size));
  const half = (at: string) => bitsOfFloat16(shader, toFloat16(shader, source(`${offset} + ${at}`)));
  const body = `let word = group * ${profile.lanes}u + lane;
  let first = 2u * word;
  if (first >= ${total}) { return; }
  var second = 0u;
  if (first + 1u < ${total}) { second = ${half("first + 1u")}; }
  ${target.store("word", `${half("first")} | (second << 16u)`)};`;
  return shader.groups(body, (resolve) => Math.ceil(Math.ceil(resolve(count) / 2) / profile.lanes), profile.lanes);
}

/** Widen float16, two in each word of `words`, to the elements of a contiguous view, float32. */
export function fromHalvesKernel(words: Storage, to: View, profile: Profile): Dispatch {
  const shader = new Shader("from halves");
  const target = shader.write(to.storage, "f32");
  const source = shader.read(words, "u32");
  const offset = shader.parameter(to.offset);
  const bits = `(${source("index >> 1u")} >> (16u * (index & 1u))) & 0xffffu`;
  const body = `${target.store(`${offset} + index`, float16OfBits(shader, bits))};`;
  return shader.elements(body, elementCount(to.shape), profile.lanes);
}
