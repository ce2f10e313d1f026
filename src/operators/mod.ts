// The operators: functions of graph values, and the tables of primitives (every backend lowers each) and composites.
import type { Operator } from "../graph/mod.ts";
import { activations } from "./activation.ts";
import { arrangements } from "./arrangement.ts";
import { attentions } from "./attention.ts";
import { elementwise } from "./elementwise.ts";
import { weighted } from "./linear.ts";
import { lookups, reorderings } from "./lookup.ts";
import { losses } from "./loss.ts";
import { products } from "./matmul.ts";
import { movement } from "./movement.ts";
import { normalizations } from "./normalization.ts";
import { reductions } from "./reduction.ts";

export * from "./activation.ts";
export * from "./arrangement.ts";
export * from "./attention.ts";
export * from "./elementwise.ts";
export * from "./linear.ts";
export * from "./lookup.ts";
export * from "./loss.ts";
export * from "./lowest_score.ts";
export * from "./matmul.ts";
export * from "./movement.ts";
export * from "./normalization.ts";
export * from "./reduction.ts";
export { broadcastShapes, type NoAttributes, normalizeAxis, sameShape } from "./rules.ts";

/** The operators every backend implements. */
export const primitives = { ...elementwise, ...movement, ...products, ...reductions, ...lookups };

/** The operators defined by others; a backend implements those it has something better for. */
export const composites = {
  ...activations,
  ...arrangements,
  ...attentions,
  ...weighted,
  ...losses,
  ...reorderings,
  ...normalizations,
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
