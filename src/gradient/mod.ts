// Reverse-mode differentiation: the gradient of a program is a program of the same operators, so every backend trains.
import { ShapeError } from "../errors/mod.ts";
import type { Builder, Graph, Node, Value } from "../graph/mod.ts";
import { legalize, rewrite } from "../passes/mod.ts";
import { accumulate, type GradientRule, gradientRules } from "./gradient_rules.ts";
import type { PrimitiveName } from "../operators/mod.ts";
import { HalfStorage } from "./half_storage.ts";
import { Recomputation } from "./recomputation.ts";
import { isFloat } from "../tensor/mod.ts";

function ruleOf(node: Node): GradientRule<object> | undefined {
  return Object.hasOwn(gradientRules, node.operator.name)
    ? gradientRules[node.operator.name as PrimitiveName] as GradientRule<object>
    : undefined;
}

/** The nodes from which `targets` can be reached backwards, that is, that depend on one of them. */
function dependents(nodes: readonly Node[], targets: readonly Value[]): Set<Node> {
  const found = new Set(targets.map((value) => value.node));
  for (const node of nodes) if (node.inputs.some((value) => found.has(value.node))) found.add(node);
  return found;
}

/** How a gradient is computed. */
export interface DifferentiateOptions {
  /** The weights of the output's elements. @default 1 each */
  readonly cotangent?: (builder: Builder) => Value;
  /**
   * Whether of a layer's values only those that other layers read are kept for the backward pass, and the others are computed
   * again: less memory for more time. @default false
   */
  readonly recompute?: boolean;
  /** How what layers compute waits for the backward pass. @default "float32" */
  readonly activationStorage?: ActivationStorage;
}

/** How values are held between the forward and the backward pass. */
export type ActivationStorage = "float32" | "float16";

/**
 * Extend a graph by the gradient of one of its outputs.
 *
 * @param graph The forward program, which stays as it is.
 * @param output The name of the output to differentiate.
 * @param wrt The values of `graph` to differentiate by: parameters, inputs or states.
 * @param extend Given the new builder, the values of `wrt` in it and their gradients (undefined where the output does
 * not depend on one): names outputs, or adds an optimiser.
 * @returns The program that computes both.
 * @throws {ShapeError} If there is no such output.
 */
export function differentiate(
  graph: Graph,
  output: string,
  wrt: readonly Value[],
  extend: (builder: Builder, wrt: readonly Value[], gradients: readonly (Value | undefined)[]) => void,
  { cotangent, recompute = false, activationStorage = "float32" }: DifferentiateOptions = {},
): Graph {
  const names = wrt.map(({ node }) => [node.operator.name, (node.attributes as { name: string }).name] as const);
  const forward = legalize(graph, (node) => !node.operator.decompose || ruleOf(node) !== undefined);
  const root = forward.outputs.get(output);
  if (!root) throw new ShapeError(`Cannot differentiate ${graph.name}: it has no output "${output}"`);
  const leaves = { input: forward.inputs, parameter: forward.parameters, state: forward.states };
  const targets = names.map(([kind, name]) => leaves[kind as keyof typeof leaves].get(name)!);
  const halves = activationStorage === "float16" ? new HalfStorage(forward) : undefined;
  return rewrite(forward, halves?.copy ?? (() => undefined), (builder, moved) => {
    const active = dependents(forward.nodes, targets);
    const kept = halves ? (value: Value) => halves.find(value, moved, builder) : moved;
    const again = recompute ? new Recomputation(forward, builder, kept) : undefined;
    const find = again ? (value: Value) => again.find(value) : kept;
    const gradients = new Map<Value, Value>();
    gradients.set(root, cotangent?.(builder) ?? builder.scalar(1, root.dataType));
    for (const node of forward.nodes.toReversed()) {
      const g = gradients.get(node.outputs[0]);
      if (!g || !active.has(node) || node.inputs.length === 0) continue;
      const rule = ruleOf(node)!;
      const results = builder.scope(
        node.label,
        () => {
          again?.enter(node, g);
          return rule(g, {
            inputs: node.inputs.map(find),
            outputs: node.outputs.map(find),
            attributes: node.attributes,
          });
        },
      );
      node.inputs.forEach((input, i) => {
        const gradient = results[i];
        if (!gradient || !active.has(input.node) || !isFloat(input.dataType)) return;
        gradients.set(input, accumulate(gradients.get(input), gradient));
      });
    }
    extend(builder, targets.map(moved), targets.map((value) => gradients.get(value)));
  });
}
