// Finding out which operators a runtime has. A library does not say so, but refuses a model with an operator that it lacks.
import { type Graph, GraphBuilder } from "../../src/graph/mod.ts";
import { attention, cacheAppend, linear } from "../../src/operators/mod.ts";
import { allOperators, type OperatorSupport, type OptionalOperator } from "./operator_support.ts";
import { toOnnx } from "./to_onnx.ts";

/** A small program that is lowered to an operator where that may be used. */
const programs: { readonly [K in OptionalOperator]: (builder: GraphBuilder) => void } = {
  FusedMatMul: (builder) =>
    builder.output("y", linear(builder.input("x", "float32", [1, 8]), builder.input("w", "float32", [8, 8]))),
  MultiHeadAttention: (builder) => {
    const [query, key, value] = ["q", "k", "v"].map((name) => builder.input(name, "float32", [1, 1, "T", 8]));
    builder.output("y", attention(query, key, value, {}));
  },
  GroupQueryAttention: (builder) => {
    const x = builder.input("x", "float32", ["rows", 1, "T", 8]);
    const [keys, values] = ["keys", "values"].map((name) =>
      cacheAppend(builder.state(name, "float32", ["rows", 1, "capacity", 8]), x, { axis: 2, at: "past" })
    );
    builder.output("y", attention(x, keys, values, { causal: true, length: "past+T" }));
  },
  TensorScatter: (builder) => {
    const state = builder.state("state", "float32", ["rows", "capacity"]);
    cacheAppend(state, builder.input("x", "float32", ["rows", "T"]), { axis: 1, at: "past" });
  },
};

function programOf(operator: OptionalOperator): Graph {
  const builder = new GraphBuilder(`uses ${operator}`);
  programs[operator](builder);
  return builder.build();
}

/**
 * Find out which of the optional operators a runtime has.
 *
 * @param compiles Whether the runtime compiles a ModelProto.
 */
export async function findOperators(
  compiles: (bytes: Uint8Array<ArrayBuffer>) => Promise<boolean>,
): Promise<OperatorSupport> {
  const found = new Set<OptionalOperator>();
  for (const operator of allOperators) {
    const model = toOnnx(programOf(operator), () => "bound", { operators: new Set([operator]) });
    if (await compiles(model.bytes)) found.add(operator);
  }
  return found;
}
