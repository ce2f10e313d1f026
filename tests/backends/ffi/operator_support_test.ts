// What a library need not have: programs are lowered without the operators of com.microsoft and of the newest ONNX.
import { assertEquals } from "@std/assert";
import { FfiBackend } from "../../../backends/ffi/backend.ts";
import { findLibrary } from "../../../backends/ffi/library.ts";
import { load } from "../../../backends/ffi/mod.ts";
import { Runtime } from "../../../backends/ffi/runtime.ts";
import { allOperators, type OperatorSupport, supportsNode, toOnnx } from "../../../backends/onnx/mod.ts";
import { findOperators } from "../../../backends/onnx/find_operators.ts";
import { type Backend, GraphBuilder } from "../../../src/graph/mod.ts";
import { attention, cacheAppend, linear } from "../../../src/operators/mod.ts";
import { prepare } from "../../../src/passes/mod.ts";
import { accuracies } from "../../conformance/accuracy.ts";
import { modelConformance } from "../../conformance/models.ts";
import { operatorConformance } from "../../conformance/operators.ts";
import { seamProofs } from "../../conformance/backend_contract.ts";
import { readsLines } from "../../conformance/printed_lines.ts";
import { isLong } from "../../effort.ts";
import { mentionedOperators } from "../onnx/mentioned_operators.ts";

/** A backend that knows only some of the operators of its library. */
async function loadWith(operators: OperatorSupport): Promise<Backend> {
  return new FfiBackend(Runtime.open(await findLibrary({}), {}), "CPU", operators);
}

const loadPlain = () => loadWith(new Set());

seamProofs("ffi in ONNX's own operators", loadPlain, accuracies.ffi.ceiling);
readsLines("ffi in ONNX's own operators", loadPlain, 12);
readsLines("ffi without TensorScatter", () => loadWith(allOperators.difference(new Set(["TensorScatter"]))), 12);
if (isLong) {
  operatorConformance("ffi in ONNX's own operators", loadPlain, accuracies.ffi);
  modelConformance("ffi in ONNX's own operators", loadPlain, 1e-4);
}

/** A decoder's layer, as far as optional operators go. */
function layer(width: number) {
  const builder = new GraphBuilder("layer");
  const x = builder.input("x", "float32", ["rows", 2, "T", width]);
  const [keys, values] = ["keys", "values"].map((name) =>
    cacheAppend(builder.state(name, "float32", ["rows", 2, "capacity", width]), x, { axis: 2, at: "past" })
  );
  const own = attention(x, keys, values, { causal: true, length: "past+T" });
  const source = builder.input("source", "float32", ["rows", 2, "sources", width]);
  const crossed = attention(own, source, source, {});
  builder.output("y", linear(crossed, builder.parameter("weight", [width, width])));
  return builder.build();
}

Deno.test("a program has no operator that the runtime lacks", () => {
  const names = [...allOperators, "Concat"];
  const lower = (operators: OperatorSupport, width = 8) => {
    const graph = prepare(layer(width), (node) => supportsNode(node, operators));
    return mentionedOperators(toOnnx(graph, () => "bound", { operators }).bytes, names);
  };
  assertEquals(lower(allOperators), ["FusedMatMul", "MultiHeadAttention", "GroupQueryAttention"]);
  // Heads of 7 are too narrow for GroupQueryAttention.
  assertEquals(lower(allOperators, 7), ["FusedMatMul", "MultiHeadAttention", "TensorScatter"]);
  assertEquals(lower(new Set(["TensorScatter"])), ["TensorScatter"]);
  assertEquals(lower(new Set()), ["Concat"]);
});

Deno.test("ffi finds the operators of its library, and of one that lacks some", async () => {
  await using backend = await load({ libraryPath: await findLibrary({}) });
  assertEquals((backend as FfiBackend).operators, allOperators);
  assertEquals(backend.counters.liveHandles, 0);
  const lacking = (missing: readonly string[]) =>
    findOperators((bytes) => Promise.resolve(mentionedOperators(bytes, missing).length === 0));
  assertEquals([...await lacking(["TensorScatter", "GroupQueryAttention"])], ["FusedMatMul", "MultiHeadAttention"]);
});
