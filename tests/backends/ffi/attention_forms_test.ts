// The forms in which attention to all keys is lowered: a query of one row is scaled before it is multiplied, and what no output is
// made of, such as queries in heads that are read whole, is left out.
import { assertEquals } from "@std/assert";
import { load } from "../../../backends/ffi/mod.ts";
import { supportsNode, toOnnx } from "../../../backends/onnx/mod.ts";
import { type Graph, GraphBuilder, type Value } from "../../../src/graph/mod.ts";
import { joinHeads, splitHeads } from "../../../src/models/heads.ts";
import { attention } from "../../../src/operators/mod.ts";
import { prepare } from "../../../src/passes/mod.ts";
import { accuracies } from "../../conformance/accuracy.ts";
import { assertWithin } from "../../conformance/closeness.ts";
import { evaluate } from "../../conformance/oracle.ts";
import { numbers } from "../../conformance/repeatable_numbers.ts";
import { mentionedOperators } from "../onnx/mentioned_operators.ts";
import { bound } from "../onnx/small_programs.ts";

const [heads, width, sources] = [3, 8, 5];

/** How keys and values are given: in heads, whole, or one in heads and the other whole. */
type Given = "heads" | "whole" | "mixed";

/** Attention of x to sources, joined again. */
function attended(T: number | "T", given: Given): Graph {
  const builder = new GraphBuilder("attended");
  const whole = (name: string, length: number | "T") => builder.input(name, "float32", ["rows", length, heads * width]);
  const inHeads = (name: string): Value => builder.input(name, "float32", ["rows", heads, sources, width]);
  const keys = given === "whole" ? splitHeads(whole("keys", sources), heads) : inHeads("keys");
  const values = given === "heads" ? inHeads("values") : splitHeads(whole("values", sources), heads);
  builder.output("y", joinHeads(attention(splitHeads(whole("x", T), heads), keys, values, { scale: 0.3 })));
  return prepare(builder.build(), supportsNode);
}

/** The name of the operator that scales, with its length before it: other names end in it. */
const multiplies = "\x03Mul";

Deno.test("a query of one row is scaled before, and what is only read whole is not split", () => {
  const operators = (T: number | "T", given: Given) =>
    mentionedOperators(toOnnx(attended(T, given), () => "bound").bytes, [
      "MultiHeadAttention",
      multiplies,
      "Transpose",
    ]);
  for (const T of ["T", 1] as const) assertEquals(operators(T, "heads"), ["MultiHeadAttention", multiplies]);
  assertEquals(operators(197, "heads"), ["MultiHeadAttention"]);
  assertEquals(operators(197, "whole"), ["MultiHeadAttention"]);
  assertEquals(operators(197, "mixed"), ["MultiHeadAttention", "Transpose"]);
  assertEquals(operators("T", "whole"), ["MultiHeadAttention", multiplies, "Transpose"]);
});

for (const given of ["heads", "whole", "mixed"] as const) {
  Deno.test(`ffi attends to keys and values that are given ${given === "mixed" ? "in two forms" : given}`, async () => {
    await using backend = await load();
    using stream = backend.stream();
    for (const [T, length] of [["T", 1], ["T", 4], [1, 1], [4, 4]] as const) {
      const graph = attended(T, given);
      const sizes = { rows: 2, T: length };
      using program = await bound(backend, graph, sizes);
      const inputs = Object.fromEntries(
        [...graph.inputs].map(([name, { shape }], i) => {
          const lengths = shape.map((each) => typeof each === "number" ? each : sizes[each as keyof typeof sizes]);
          return [name, numbers(i + 1, ...lengths)];
        }),
      );
      for (const [name, { data }] of Object.entries(inputs)) stream.write(program.buffers[name], data);
      stream.enqueue(program.run);
      const { y } = evaluate(graph, inputs, { sizes });
      assertWithin(await stream.read(program.buffers.y), y, accuracies.ffi.ceiling, `${length} queries`);
    }
  });
}
