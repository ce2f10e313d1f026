import { assertEquals } from "@std/assert";
import { loadBackend, Tensor } from "../../mod.ts";
import { GraphBuilder } from "../../src/graph/mod.ts";
import { activationNames, applyActivation } from "../../src/models/activations.ts";
import { accuracies, type Accuracy } from "../conformance/accuracy.ts";
import { assertWithin } from "../conformance/closeness.ts";
import { execute } from "../conformance/execute.ts";
import { evaluate, roundedTo32 } from "../conformance/oracle.ts";
import { testedBackends } from "../backends/tested_backends.ts";

const { x, values } = JSON.parse(
  await Deno.readTextFile(new URL("../fixtures/activations.json", import.meta.url)),
) as { x: number[]; values: Record<string, number[]> };

Deno.test("there is a golden for every activation", () => {
  assertEquals(Object.keys(values).sort(), Object.keys(activationNames).sort());
});

/** Half of the goldens' last decimal. */
const rounding = 0.5e-12;

for (const name of testedBackends) {
  Deno.test(`configurations' activations are those of Transformers on ${name}`, async () => {
    const { ceiling, grants }: Accuracy = accuracies[name as keyof typeof accuracies];
    await using backend = await loadBackend(name);
    const builder = new GraphBuilder("activations");
    const input = builder.input("x", "float32", [x.length]);
    for (const [name, activation] of Object.entries(activationNames)) {
      builder.output(name, applyActivation(input, activation));
    }
    const graph = builder.build();
    const given = new Tensor("float32", [x.length], Float32Array.from(x));
    const results = await execute(backend, graph, { x: given });
    const bounds = evaluate(graph, { x: roundedTo32(given) }, { grants });
    for (const [activation, expected] of Object.entries(values)) {
      const errors = bounds[activation].error.data as Float64Array;
      const [value, error] = [Float64Array.from(expected), errors.map((e) => e + rounding)]
        .map((numbers) => new Tensor("float64", [x.length], numbers));
      assertWithin(results[activation], { value, error }, ceiling, activation);
    }
  });
}
