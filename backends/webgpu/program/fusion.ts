// Which nodes are fused into one kernel. Think of it as two questions that are asked before any node is lowered: does a sum
// complete the product that it adds to (then it becomes the product's epilogue), and do several products read the same value
// (then their weights lie one after another and they are one wider product)? The planner skips the fused nodes.
import { attributeKey, type NamedLeaf, type Node, parameterOperator, type Value } from "../../../src/graph/mod.ts";
import { sameShape } from "../../../src/operators/mod.ts";
import { panelBytes, panelWidth } from "../weights/layout.ts";
import type { ValueUses } from "./value_uses.ts";

/** A product, and the value that is added to it. */
export interface FusedSum {
  readonly product: Node;
  readonly other: Value;
}

/** The nodes of a graph that are fused. */
export class Fusion {
  readonly #sums = new Map<Node, FusedSum>();
  readonly #fusedProducts = new Map<Node, readonly Node[]>();
  readonly #fused = new Set<Node>();

  constructor(
    readonly uses: ValueUses,
    options: { readonly maxBinding: number; readonly isPacked: (name: string) => boolean },
  ) {
    for (const node of uses.graph.nodes) this.#fuseSum(node);
    this.#fuseProducts(options.maxBinding, options.isPacked);
  }

  /** Whether a node is computed by another node's kernel. */
  isFused(node: Node): boolean {
    return this.#fused.has(node);
  }

  /** The product that a sum completes, and the value that it adds; undefined where the node is no such sum. */
  fusedSumOf(node: Node): FusedSum | undefined {
    return this.#sums.get(node);
  }

  /** The products that one kernel computes together with this one, which is the first of them. */
  fusedProductsOf(node: Node): readonly Node[] {
    return this.#fusedProducts.get(node) ?? [node];
  }

  /** Fuse `add(x, linear(…))` where nothing else reads the product. */
  #fuseSum(node: Node): void {
    if (node.operator.name !== "add" || this.uses.inPlace.has(node.outputs[0])) return;
    const [a, b] = node.inputs;
    for (const [value, other] of [[b, a], [a, b]]) {
      const { node: product } = value;
      const fits = product.operator.name === "linear" && !this.isFused(product) && this.uses.isUsedOnce(value) &&
        sameShape(value.shape, node.outputs[0].shape) && sameShape(other.shape, value.shape) &&
        !this.uses.writesBetween(product, node);
      if (!fits) continue;
      this.#sums.set(node, { product, other });
      this.#fused.add(product);
      return;
    }
  }

  /** Fuse products of one value, such as a layer's queries, keys and values, whose weights no other node reads. */
  #fuseProducts(maxBinding: number, isPacked: (name: string) => boolean): void {
    const canBeFused = ({ inputs: [, ...own], outputs: [y] }: Node) =>
      !this.uses.outputs.has(y) && (y.shape.at(-1) as number) % panelWidth === 0 &&
      own.every((value) => isParameter(value) && this.uses.isUsedOnce(value) && isPacked(nameOf(value)));
    const products = this.uses.graph.nodes.filter((node) =>
      node.operator.name === "linear" && !this.isFused(node) && canBeFused(node)
    );
    const groups = Map.groupBy(products, ({ inputs: [x] }) => x);
    for (const nodes of groups.values()) {
      const alike = Map.groupBy(nodes, ({ inputs, attributes }) => `${inputs.length} ${attributeKey(attributes)}`);
      for (const all of alike.values()) {
        const bytes = all.reduce((sum, node) => sum + packedBytes(node), 0);
        if (all.length === 1 || bytes > maxBinding) continue;
        const [first, ...others] = all;
        this.#fusedProducts.set(first, all);
        others.forEach((node) => this.#fused.add(node));
      }
    }
  }
}

const isParameter = ({ node }: Value) => node.operator === parameterOperator;

const nameOf = ({ node }: Value) => (node.attributes as NamedLeaf).name;

function packedBytes({ inputs: [x], outputs: [y] }: Node): number {
  return panelBytes(y.shape.at(-1) as number, x.shape.at(-1) as number);
}
