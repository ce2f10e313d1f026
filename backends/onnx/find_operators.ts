// Finding out which operators a runtime has. A library does not say so, but refuses a model with an operator that it lacks.
import { GraphBuilder } from "../../src/graph/mod.ts";
import { attention, cacheAppend, linear } from "../../src/operators/mod.ts";
import { allOperators, type OperatorSupport, type OptionalOperator } from "./operator_support.ts";
import { toOnnx } from "./to_onnx.ts";

/** Each writes a few values that are lowered to an operator where that may be used. */
const uses: { readonly [K in OptionalOperator]: (builder: GraphBuilder) => void } = {
  FusedMatMul: (builder) =>
    builder.output("product", linear(builder.input("x", "float32", [1, 8]), builder.input("w", "float32", [8, 8]))),
  MultiHeadAttention: (builder) => {
    const [query, key, value] = ["query", "key", "value"].map((name) => builder.input(name, "float32", [1, 1, "T", 8]));
    builder.output("attended", attention(query, key, value, {}));
  },
  GroupQueryAttention: (builder) => {
    const fresh = builder.input("fresh", "float32", ["rows", 1, "T", 8]);
    const [keys, values] = ["keys", "values"].map((name) =>
      cacheAppend(builder.state(name, "float32", ["rows", 1, "capacity", 8]), fresh, { axis: 2, at: "past" })
    );
    builder.output("context", attention(fresh, keys, values, { causal: true, length: "past+T" }));
  },
  TensorScatter: (builder) => {
    const state = builder.state("state", "float32", ["rows", "capacity"]);
    cacheAppend(state, builder.input("next", "float32", ["rows", "T"]), { axis: 1, at: "past" });
  },
};

/** A model with these operators and no other optional ones. */
function modelWith(operators: OperatorSupport): Uint8Array<ArrayBuffer> {
  const builder = new GraphBuilder("optional operators");
  for (const operator of operators) uses[operator](builder);
  return toOnnx(builder.build(), () => "bound", { operators }).bytes;
}

/**
 * Find out which of the optional operators a runtime has.
 *
 * @param compiles Whether the runtime compiles a ModelProto.
 */
export async function findOperators(
  compiles: (bytes: Uint8Array<ArrayBuffer>) => Promise<boolean>,
): Promise<OperatorSupport> {
  if (await compiles(modelWith(allOperators))) return allOperators;
  const found = new Set<OptionalOperator>();
  for (const operator of allOperators) {
    if (await compiles(modelWith(new Set([operator])))) found.add(operator);
  }
  return found;
}
