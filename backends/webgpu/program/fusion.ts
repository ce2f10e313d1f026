// Which nodes are fused into one kernel. Think of it as three questions that are asked before any node is lowered: does a sum
// complete the product that it adds to (then it becomes the product's epilogue), do several products read the same value
// (then their weights lie one after another and they are one wider product), and is a normalised value read by one product
// alone (then the product's kernel may normalise it)? The planner skips the nodes that others always compute.
import {
  attributeKey,
  type Dimension,
  type NamedLeaf,
  type Node,
  parameterOperator,
  type Value,
} from "../../../src/graph/mod.ts";
import { sameShape } from "../../../src/operators/mod.ts";
import type { BlockEncoding } from "../../../src/weights/mod.ts";
import type { Profile } from "../device/profile.ts";
import { type Expression, viewsOf } from "../kernels/elementwise.ts";
import { panelBytes, panelWidth } from "../weights/layout.ts";
import type { ValueUses } from "./value_uses.ts";
import { broadcastView } from "./view.ts";
import type { Windows } from "./windows/windows.ts";

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
    readonly options: {
      readonly maxBinding: number;
      readonly isPacked: (name: string) => boolean;
      readonly encoding: (name: string) => BlockEncoding | undefined;
    },
  ) {
    for (const node of uses.graph.nodes) this.#fuseSum(node);
    this.#fuseProducts();
  }

  /** Whether a node is computed by another node's kernel. */
  isFused(node: Node): boolean {
    return this.#fused.has(node);
  }

  /** The product that a sum completes, and the value that it adds; undefined where the node is no such sum. */
  fusedSumOf(node: Node): FusedSum | undefined {
    return this.#sums.get(node);
  }

  /** The layer normalisation of rows that alone reads a sum which completes a product; undefined if there is none. */
  normOf(sum: Node): Node | undefined {
    const [value] = sum.outputs;
    const [norm] = this.uses.of(value);
    if (!this.uses.isUsedOnce(value) || norm.operator.name !== "layerNormalization") return undefined;
    const [x, ...own] = norm.inputs;
    const { axes = [-1] } = norm.attributes as { axes?: readonly number[] };
    const isOfRows = axes.length === 1 && [-1, x.rank - 1].includes(axes[0]);
    const [result] = norm.outputs;
    const isFree = !this.uses.outputs.has(result) && !this.uses.inPlace.has(result) &&
      !this.uses.writesBetween(sum, norm);
    return x === value && isOfRows && isFree && own.every(isParameter) ? norm : undefined;
  }

  /** The products that one kernel computes together with this one, which is the first of them. */
  fusedProductsOf(node: Node): readonly Node[] {
    return this.#fusedProducts.get(node) ?? [node];
  }

  /** The product, or the first of those that are computed together, that alone reads a node's value; undefined if there is none. */
  onlyProductOf(node: Node): Node | undefined {
    const [value] = node.outputs;
    const users = this.uses.of(value);
    const [first] = users;
    if (!first || this.uses.outputs.has(value) || this.uses.inPlace.has(value)) return undefined;
    const reads = ({ operator, inputs }: Node) =>
      operator.name === "linear" && inputs.indexOf(value) === 0 &&
      inputs.lastIndexOf(value) === 0;
    const together = new Set(this.fusedProductsOf(first));
    const isOnly = users.every((user) => reads(user) && together.has(user)) && users.length === together.size;
    return isOnly && users.every((user) => !this.uses.writesBetween(node, user)) ? first : undefined;
  }

  /** The cacheAppends of the keys and of the values that an attention alone reads, each row its own, up to the queries' positions. */
  appendsOf({ inputs, id }: Node): readonly [keys: Node, values: Node] | undefined {
    const [query, ...cached] = inputs.slice(0, 3);
    const [key, value] = cached.map(widened);
    const [keys, values] = [key.node, value.node];
    const isAppend = [keys, values].every(({ operator, inputs: [state, x], attributes }) =>
      operator.name === "cacheAppend" && (attributes as { axis: number }).axis === 2 &&
      state.shape[0] === query.shape[0] && x.shape[2] === query.shape[2]
    );
    const at = ({ inputs, attributes }: Node) => inputs[2] ?? (attributes as { at?: Dimension }).at;
    const isAlone = isAppend && keys !== values && at(keys) === at(values) &&
      [key, value, ...cached].every((own) => this.uses.isUsedOnce(own));
    if (!isAlone) return undefined;
    const [first, last] = keys.id < values.id ? [keys, values] : [values, keys];
    const isUndisturbed = !this.uses.writesBetween(first, last) && !this.uses.writesBetween(last, { id });
    return isUndisturbed ? [keys, values] : undefined;
  }

  /** Whether a cacheAppend is one of those of an attention. */
  isReadByAttention(node: Node): boolean {
    let [user] = this.uses.of(node.outputs[0]);
    if (user?.operator.name === "cast") [user] = this.uses.of(user.outputs[0]);
    return user?.operator.name === "attention" && this.appendsOf(user)?.includes(node) === true;
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
  #fuseProducts(): void {
    const { maxBinding, isPacked, encoding } = this.options;
    const canBeFused = ({ inputs: [, ...own], outputs: [y] }: Node) =>
      !this.uses.outputs.has(y) && (y.shape.at(-1) as number) % panelWidth === 0 &&
      own.every((value) => isParameter(value) && this.uses.isUsedOnce(value) && isPacked(nameOf(value)));
    const products = this.uses.graph.nodes.filter((node) =>
      node.operator.name === "linear" && !this.isFused(node) && canBeFused(node)
    );
    const groups = Map.groupBy(products, ({ inputs: [x] }) => x);
    for (const nodes of groups.values()) {
      const alike = Map.groupBy(nodes, ({ inputs, attributes }) => {
        const { bits, block } = encoding(nameOf(inputs[1])) ?? {};
        return `${inputs.length} ${attributeKey(attributes)} ${bits} ${block}`;
      });
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

/** The float16 that a cast widens, which it may be a view of; another value itself. */
function widened(value: Value): Value {
  const { operator, inputs: [input] } = value.node;
  return operator.name === "cast" && input.dataType === "float16" && value.dataType === "float32" ? input : value;
}

const isParameter = ({ node }: Value) => node.operator === parameterOperator;

const nameOf = ({ node }: Value) => (node.attributes as NamedLeaf).name;

function packedBytes({ inputs: [x], outputs: [y] }: Node): number {
  return panelBytes(y.shape.at(-1) as number, x.shape.at(-1) as number);
}

/**
 * Whether a layer normalisation computes what it normalises: on a processor, where a dispatch costs more than computing it three
 * times. On a GPU the product that reads the result may normalise it.
 */
export function computesWhatItNormalizes(
  { operator, inputs }: Node,
  value: Value,
  expression: Expression,
  { profile, windows }: { readonly profile: Profile; readonly windows: Windows },
): boolean {
  if (operator.name !== "layerNormalization" || inputs[0] !== value || profile.gpu) return false;
  return viewsOf(expression).every((view) => windows.cut([broadcastView(view, expression.shape)]).length === 1);
}
