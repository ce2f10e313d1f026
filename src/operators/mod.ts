// The operators: functions of graph values, and the tables of primitives (every backend lowers each) and composites.
import type { Operator } from "../graph/mod.ts";
import { activations } from "./activation.ts";
import { movementComposites } from "./movement_composites.ts";
import { attentions } from "./attention.ts";
import { elementwise } from "./elementwise.ts";
import { weightProducts } from "./linear.ts";
import { cacheComposites, indexing } from "./indexing.ts";
import { losses } from "./loss.ts";
import { matrixProducts } from "./matmul.ts";
import { movement } from "./movement.ts";
import { normalizations } from "./normalization.ts";
import { randomComposites, randomPrimitives } from "./random.ts";
import { reductions } from "./reduction.ts";

export * from "./activation.ts";
export * from "./movement_composites.ts";
export * from "./attention.ts";
export * from "./elementwise.ts";
export * from "./linear.ts";
export * from "./indexing.ts";
export * from "./loss.ts";
export * from "./lowest_score.ts";
export * from "./matmul.ts";
export * from "./movement.ts";
export * from "./normalization.ts";
export * from "./philox.ts";
export * from "./random.ts";
export * from "./reduction.ts";
export * from "./row_positions.ts";
export { broadcastShapes, type NoAttributes, normalizeAxis, sameShape } from "./shape_inference.ts";

/** The operators every backend implements. */
export const primitives = {
  ...elementwise,
  ...movement,
  ...matrixProducts,
  ...reductions,
  ...indexing,
  ...randomPrimitives,
};

/** The operators that are defined by other operators; a backend implements those for which it has a faster kernel. */
export const composites = {
  ...activations,
  ...movementComposites,
  ...attentions,
  ...weightProducts,
  ...losses,
  ...cacheComposites,
  ...normalizations,
  ...randomComposites,
};

/** All operators by name. */
export const operators = { ...primitives, ...composites };

/** The name of a primitive. */
export type PrimitiveName = keyof typeof primitives;

/** The name of a composite. */
export type CompositeName = keyof typeof composites;

/** The attributes of an operator by its name. */
export type AttributesOf<K extends PrimitiveName | CompositeName> = (typeof operators)[K] extends Operator<infer A> ? A
  : never;
