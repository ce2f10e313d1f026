// Operators that read or write at positions which other values or sizes give: gather, scatter, and writes to states.
import {
  addDimensions,
  type Dimension,
  divideDimensions,
  formatShape,
  OperandError,
  type Operator,
  Value,
} from "../graph/mod.ts";
import { slice } from "./movement.ts";
import {
  checkIndices,
  checkRowNumbers,
  floatType,
  type NoAttributes,
  normalizeAxis,
  positionsLeft,
  sameShape,
  sameType,
} from "./shape_inference.ts";

const gatherOperator: Operator<{ axis: number }> = {
  name: "gather",
  operands: ["table", "indices"],
  infer: ([table, indices], { axis }) => {
    checkIndices(indices);
    const at = normalizeAxis(axis, table.shape.length);
    return [{
      dataType: table.dataType,
      shape: [...table.shape.slice(0, at), ...indices.shape, ...table.shape.slice(at + 1)],
    }];
  },
};

const scatterAddOperator: Operator<{ size: Dimension }> = {
  name: "scatterAdd",
  operands: ["indices", "updates"],
  infer: ([indices, updates], { size }) => {
    checkIndices(indices);
    const rank = indices.shape.length;
    if (!sameShape(updates.shape.slice(0, rank), indices.shape)) {
      throw new OperandError("the updates' first axes must be those of the indices");
    }
    return [{ dataType: floatType([updates]), shape: [size, ...updates.shape.slice(rank)] }];
  },
};

const scatterOperator: Operator<NoAttributes> = {
  name: "scatter",
  operands: ["x", "indices", "updates"],
  infer: ([x, indices, updates]) => {
    checkIndices(indices);
    const shape = [...indices.shape, ...x.shape.slice(1)];
    if (!sameShape(updates.shape, shape)) throw new OperandError(`updates must have the shape ${formatShape(shape)}`);
    return [{ dataType: sameType([x, updates]), shape: x.shape }];
  },
};

/** The attributes of `cacheAppend`. */
export interface CacheAppendAttributes {
  /** The axis of positions. */
  readonly axis: number;
  /** The first position that is written; absent where each row has its own, as an operand. */
  readonly at?: Dimension;
}

const cacheAppendOperator: Operator<CacheAppendAttributes> = {
  name: "cacheAppend",
  operands: ["state", "x", "at?"],
  writesState: "inPlace",
  infer: ([state, x, places], { axis, at = 0 }) => {
    const along = normalizeAxis(axis, state.shape.length);
    if (x.shape.length !== state.shape.length || x.shape.some((d, i) => i !== along && d !== state.shape[i])) {
      throw new OperandError(`they may differ only along axis ${along}`);
    }
    if (places) {
      if (along === 0) throw new OperandError("positions cannot be the rows");
      checkRowNumbers(places, state.shape[0], "at");
    }
    const end = addDimensions(at, x.shape[along]);
    const capacity = state.shape[along];
    if (typeof end === "number" && typeof capacity === "number" && end > capacity) {
      throw new OperandError(`positions ${at} to ${end} are outside axis ${along}, which has ${capacity}`);
    }
    return [{ dataType: sameType([state, x]), shape: state.shape }];
  },
  bounds: ([state, x], { axis, at = 0 }) => {
    const along = normalizeAxis(axis, state.shape.length);
    return [at, positionsLeft(state.shape[along], at, x.shape[along])];
  },
};

const assignOperator: Operator = {
  name: "assign",
  operands: ["state", "x"],
  writesState: "atEnd",
  infer: ([state, x]) => {
    if (!sameShape(state.shape, x.shape)) throw new OperandError(`x must have the shape ${formatShape(state.shape)}`);
    return [{ dataType: sameType([state, x]), shape: state.shape }];
  },
};

/** The attributes of `cacheReorder`. */
export interface CacheReorderAttributes {
  /** The axis of positions. */
  readonly axis: number;
  /** How many positions are used: the first ones. */
  readonly length: Dimension;
  /** Rows form groups of this many (the beams of a picture); a row is replaced by one of its own group. */
  readonly group: number;
}

const cacheReorderOperator: Operator<CacheReorderAttributes> = {
  name: "cacheReorder",
  operands: ["state", "rows"],
  writesState: "inPlace",
  infer: ([state, rows], { axis, length, group }) => {
    checkIndices(rows);
    const along = normalizeAxis(axis, state.shape.length);
    if (along === 0) throw new OperandError("positions cannot be the rows");
    if (!sameShape(rows.shape, state.shape.slice(0, 1))) {
      throw new OperandError(`rows must have the shape ${formatShape(state.shape.slice(0, 1))}`);
    }
    if (divideDimensions(state.shape[0], group) === undefined) {
      throw new OperandError(`the rows must be groups of ${group}`);
    }
    const capacity = state.shape[along];
    if (typeof length === "number" && typeof capacity === "number" && length > capacity) {
      throw new OperandError(`the used length ${length} is more than the ${capacity} positions`);
    }
    return [{ dataType: state.dataType, shape: state.shape }];
  },
  bounds: ([state], { axis, length }) => {
    return [length, positionsLeft(state.shape[normalizeAxis(axis, state.shape.length)], 0, length)];
  },
  decompose: ([state, rows], { axis, length }) => {
    const along = normalizeAxis(axis, state.rank);
    const sizes = state.shape.map((d, i) => i === along ? length : d);
    const used = slice(state, { starts: sizes.map(() => 0), sizes });
    return [cacheAppend(state, gather(used, rows, { axis: 0 }), { axis, at: 0 })];
  },
};

/** The primitives that read or write at computed positions. */
export const indexing = {
  gather: gatherOperator,
  scatterAdd: scatterAddOperator,
  scatter: scatterOperator,
  cacheAppend: cacheAppendOperator,
  assign: assignOperator,
};

/** The composites that write a cache. */
export const cacheComposites = { cacheReorder: cacheReorderOperator };

/** The entries of a table along an axis: shape table[:axis] + indices + table[axis+1:]. Indices must be in range. */
export function gather(table: Value, indices: Value, attributes: { axis: number }): Value {
  return table.builder.add(indexing.gather, [table, indices], attributes)[0];
}

/** Zeros [size, ...] to whose entry `indices[i]` each `updates[i]` is added: the gradient of `gather` along axis 0. */
export function scatterAdd(indices: Value, updates: Value, attributes: { size: Dimension }): Value {
  return indices.builder.add(indexing.scatterAdd, [indices, updates], attributes)[0];
}

/** x [n, ...] with each entry `indices[i]` replaced by `updates[i]`; updates of one entry must be equal. */
export function scatter(x: Value, indices: Value, updates: Value): Value {
  return x.builder.add(indexing.scatter, [x, indices, updates], {})[0];
}

/**
 * Write x into a state in place, from position `at` of an axis on, and return the state's new value.
 * Whatever reads the old value must be an ancestor of x: backends need not execute other readers before the write.
 *
 * @param attributes.at One position for all rows, or each row's own, [rows], int64 or int32. Where a row would be written
 * outside of its positions a CPU's run fails, and a GPU leaves that out.
 */
export function cacheAppend(
  state: Value,
  x: Value,
  { axis, at }: { readonly axis: number; readonly at: Dimension | Value },
): Value {
  const { builder } = state;
  if (at instanceof Value) return builder.add(indexing.cacheAppend, [state, x, at], { axis })[0];
  return builder.add(indexing.cacheAppend, [state, x], { axis, at })[0];
}

/**
 * Replace each row i of a state in place by its row `rows[i]`, which is of the same group and is read before any row is
 * written, up to a length; and return the state's new value. Later positions stay as they are.
 */
export function cacheReorder(state: Value, rows: Value, attributes: CacheReorderAttributes): Value {
  return state.builder.add(cacheComposites.cacheReorder, [state, rows], attributes)[0];
}

/**
 * Replace a state (or a trainable parameter) at the end of the run by x, and return its new value. No second copy is held
 * where an elementwise operator computes x and all else that reads the old value is an ancestor of it; see
 * `assignedInPlace`.
 */
export function assign(state: Value, x: Value): Value {
  return state.builder.add(indexing.assign, [state, x], {})[0];
}
