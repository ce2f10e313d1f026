import { assertEquals, assertRejects } from "@std/assert";
import { load } from "../../backends/reference/mod.ts";
import { FormatError } from "../../src/errors/mod.ts";
import { type Graph, GraphBuilder, ProgramCache } from "../../src/graph/mod.ts";
import { mul } from "../../src/operators/mod.ts";
import { memorySource } from "../conformance/execute.ts";

function scaling(factor: number): Graph {
  const builder = new GraphBuilder("scaling");
  builder.output("y", mul(builder.input("x", "float32", [2]), builder.scalar(factor)));
  return builder.build();
}

Deno.test("ProgramCache compiles each program once, and keeps the four of a kind that were used last", async () => {
  await using backend = await load();
  using weights = await backend.open(memorySource());
  let built = 0;
  {
    await using programs = new ProgramCache(backend, weights);
    const get = (kind: string, factor: number) =>
      programs.get(kind, { factor }, () => {
        built++;
        return scaling(factor);
      });
    for (const factor of [1, 2, 3, 4, 1, 5]) await get("scaling", factor);
    await get("other", 1);
    assertEquals([built, backend.counters.liveHandles], [6, 5]);
    for (const factor of [1, 3, 4, 5]) await get("scaling", factor);
    assertEquals(built, 6);
    await get("scaling", 2); // it was used before all others, and is gone
    assertEquals([built, backend.counters.liveHandles], [7, 5]);
  }
  assertEquals(backend.counters.liveHandles, 0);
});

Deno.test("ProgramCache compiles again what could not be compiled", async () => {
  await using backend = await load();
  using weights = await backend.open(memorySource());
  await using programs = new ProgramCache(backend, weights);
  const lacking = new GraphBuilder("lacking");
  lacking.output("y", lacking.parameter("none", [2]));
  await assertRejects(() => programs.get("any", {}, () => lacking.build()), FormatError);
  const { program } = await programs.get("any", {}, () => scaling(2));
  assertEquals(typeof program.bind, "function");
});
