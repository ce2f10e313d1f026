import { assertEquals } from "@std/assert";
import { loadBackend, Tensor } from "../../mod.ts";
import { GraphBuilder } from "../../src/graph/mod.ts";
import { activationNames, applyActivation } from "../../src/models/activations.ts";
import { assertClose } from "../conformance/closeness.ts";
import { execute } from "../conformance/execute.ts";
import { testedBackends } from "../backends/tested_backends.ts";

const { x, values } = JSON.parse(
  await Deno.readTextFile(new URL("../fixtures/activations.json", import.meta.url)),
) as { x: number[]; values: Record<string, number[]> };

Deno.test("there is a golden for every activation", () => {
  assertEquals(Object.keys(values).sort(), Object.keys(activationNames).sort());
});

for (const name of testedBackends) {
  Deno.test(`configurations' activations are those of Transformers on ${name}`, async () => {
    await using backend = await loadBackend(name);
    const builder = new GraphBuilder("activations");
    const input = builder.input("x", "float32", [x.length]);
    for (const [name, activation] of Object.entries(activationNames)) {
      builder.output(name, applyActivation(input, activation));
    }
    const results = await execute(backend, builder.build(), {
      x: new Tensor("float32", [x.length], Float32Array.from(x)),
    });
    for (const [activation, expected] of Object.entries(values)) {
      assertClose(
        results[activation],
        new Tensor("float32", [x.length], Float32Array.from(expected)),
        name === "webgpu" ? 2e-4 : 1e-5,
        activation,
      );
    }
  });
}
