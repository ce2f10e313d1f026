// Entries of a table whose indices follow each other: a view of the table where it is read as it is stored, and the same numbers
// wherever the table or the indices are used besides.
import { assertEquals } from "@std/assert";
import { loadWithProfile, type ProfileName } from "../../../backends/webgpu/mod.ts";
import { GraphBuilder, type Value } from "../../../src/graph/mod.ts";
import { add, assign, gather, mul, range } from "../../../src/operators/mod.ts";
import { Tensor } from "../../../src/tensor/mod.ts";
import { weightFromTensor } from "../../../src/weights/mod.ts";

const [entries, T] = [10, 3];

/** The numbers of a table. */
const table = (width: number) => Float32Array.from({ length: entries * width }, (_, i) => i);

for (const profile of ["soft", "gpu"] as ProfileName[]) {
  for (const width of [4, 3]) {
    Deno.test(`webgpu's ${profile} kernels read entries of a range, of ${width} numbers`, async () => {
      await using backend = await loadWithProfile(profile);
      const builder = new GraphBuilder("entries");
      const stored = builder.parameter("table", [entries, width]);
      const state = builder.state("state", "float32", [entries, width]);
      const places = (start: string): Value => range(builder, { size: T, start });
      const ones = builder.input("ones", "float32", [T, width]);
      builder.output("sums", add(gather(stored, places("past"), { axis: 0 }), ones));
      builder.output("plain", gather(stored, places("past+2"), { axis: 0 }));
      const known = places("past");
      builder.output("known", known);
      builder.output("other", gather(stored, mul(known, known), { axis: 0 }));
      // The entries as they were before the state is written.
      builder.output("before", gather(state, known, { axis: 0 }));
      assign(state, add(state, state));
      const weights = await backend.open(
        new Map([["table", weightFromTensor(new Tensor("float32", [entries, width], table(width)))]]),
      );
      using program = await backend.compile(builder.build(), weights);
      using stack = new DisposableStack();
      stack.use(weights);
      const stream = stack.use(backend.stream());
      const make = (shape: number[], type: "float32" | "int64" = "float32") => stack.use(backend.allocate(type, shape));
      const tensors = {
        ones: make([T, width]),
        state: make([entries, width]),
        sums: make([T, width]),
        plain: make([T, width]),
        known: make([T], "int64"),
        other: make([T, width]),
        before: make([T, width]),
      };
      stream.write(tensors.ones, new Float32Array(T * width).fill(1));
      stream.write(tensors.state, table(width));
      const run = stack.use(program.bind(tensors, { past: entries - T - 2 }));
      for (const past of [0, 1]) {
        stream.enqueue(run, { past });
        const read = async (name: keyof typeof tensors) => [...(await stream.read(tensors[name])).data].map(Number);
        const at = (start: number) => [...table(width)].slice(start * width, (start + T) * width);
        assertEquals(await read("sums"), at(past).map((number) => number + 1));
        assertEquals(await read("plain"), at(past + 2));
        const indices = [0, 1, 2].map((i) => past + i);
        assertEquals(await read("known"), indices);
        assertEquals(await read("other"), indices.flatMap((i) => at(i * i).slice(0, width)));
        assertEquals(await read("before"), at(past).map((number) => number * 2 ** past));
      }
    });
  }
}
