// Which nodes one kernel does: a product and the sum that completes it, or several products of one value.
import { attributeKey, type NamedLeaf, type Node, parameterOperator, type Value } from "../../../src/graph/mod.ts";
import { sameShape } from "../../../src/operators/mod.ts";
import { panelWidth } from "../weights/layout.ts";
import { panelBytes } from "../weights/layout.ts";
import type { Uses } from "./value_uses.ts";

/** A product, and the value that is added to it. */
export interface Sum {
  readonly product: Node;
  readonly other: Value;
}

/** The nodes of a graph that are joined. */
export class Joins {
  readonly #sums = new Map<Node, Sum>();
  readonly #together = new Map<Node, readonly Node[]>();
  readonly #joined = new Set<Node>();

  constructor(
    readonly uses: Uses,
    options: { readonly maxBinding: number; readonly packs: (name: string) => boolean },
  ) {
    for (const node of uses.graph.nodes) this.#findSum(node);
    this.#findTogether(options.maxBinding, options.packs);
  }

  /** Whether a node is done by another one's kernel. */
  has(node: Node): boolean {
    return this.#joined.has(node);
  }

  /** The product that a sum completes. */
  sumOf(node: Node): Sum | undefined {
    return this.#sums.get(node);
  }

  /** The products that are one with this one, it first. */
  together(node: Node): readonly Node[] {
    return this.#together.get(node) ?? [node];
  }

  /** Join `add(x, linear(…))` where nothing else reads the product. */
  #findSum(node: Node): void {
    if (node.operator.name !== "add" || this.uses.inPlace.has(node.outputs[0])) return;
    const [a, b] = node.inputs;
    for (const [value, other] of [[b, a], [a, b]]) {
      const { node: product } = value;
      const fits = product.operator.name === "linear" && !this.has(product) && this.uses.isOnce(value) &&
        sameShape(value.shape, node.outputs[0].shape) && sameShape(other.shape, value.shape) &&
        !this.uses.writesBetween(product, node);
      if (!fits) continue;
      this.#sums.set(node, { product, other });
      this.#joined.add(product);
      return;
    }
  }

  /** Join products of one value, such as a layer's queries, keys and values, whose weights no other node reads. */
  #findTogether(maxBinding: number, packs: (name: string) => boolean): void {
    const isJoinable = ({ inputs: [, ...own], outputs: [y] }: Node) =>
      !this.uses.outputs.has(y) && (y.shape.at(-1) as number) % panelWidth === 0 &&
      own.every((value) => isParameter(value) && this.uses.isOnce(value) && packs(nameOf(value)));
    const products = this.uses.graph.nodes.filter((node) =>
      node.operator.name === "linear" && !this.has(node) && isJoinable(node)
    );
    const groups = Map.groupBy(products, ({ inputs: [x] }) => x);
    for (const nodes of groups.values()) {
      const alike = Map.groupBy(nodes, ({ inputs, attributes }) => `${inputs.length} ${attributeKey(attributes)}`);
      for (const all of alike.values()) {
        const bytes = all.reduce((sum, node) => sum + packedBytes(node), 0);
        if (all.length === 1 || bytes > maxBinding) continue;
        const [first, ...others] = all;
        this.#together.set(first, all);
        others.forEach((node) => this.#joined.add(node));
      }
    }
  }
}

const isParameter = ({ node }: Value) => node.operator === parameterOperator;

const nameOf = ({ node }: Value) => (node.attributes as NamedLeaf).name;

function packedBytes({ inputs: [x], outputs: [y] }: Node): number {
  return panelBytes(y.shape.at(-1) as number, x.shape.at(-1) as number);
}
