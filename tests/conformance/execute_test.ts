// That `execute` refuses what kernels may do to memory that is not theirs, shown on a backend that does it.
import { assertEquals, AssertionError, assertRejects } from "@std/assert";
import { load } from "../../backends/reference/mod.ts";
import { type Backend, GraphBuilder, type Program, type Stream, type TensorPart } from "../../src/graph/mod.ts";
import { add } from "../../src/operators/mod.ts";
import { Tensor } from "../../src/tensor/mod.ts";
import { execute } from "./execute.ts";

/** An object with some members replaced; the others are called on the object itself, as they use its private fields. */
function changed<T extends object>(object: T, members: Partial<T>): T {
  return new Proxy(object, {
    get: (target, key) => {
      const value = Object.hasOwn(members, key) ? members[key as keyof T] : Reflect.get(target, key, target);
      return typeof value === "function" ? value.bind(Object.hasOwn(members, key) ? members : target) : value;
    },
  });
}

/** A backend that writes a number beside "y" with each run, counted in elements from where "y" begins. */
function straying(backend: Backend, place: number, number: (run: number) => number): Backend {
  let y: TensorPart;
  let runs = 0;
  return changed(backend, {
    compile: async (...given) => {
      const program: Program = await backend.compile(...given);
      return changed(program, { bind: (parts, maxima) => (y = parts.y as TensorPart, program.bind(parts, maxima)) });
    },
    stream: (options) => {
      const stream: Stream = backend.stream(options);
      return changed(stream, {
        enqueue: (run, sizes) => {
          stream.enqueue(run, sizes);
          if (y.offset + place >= 0) stream.write(y.tensor, Float32Array.of(number(runs++)), y.offset + place);
        },
      });
    },
  });
}

const x = new Tensor("float32", [3], Float32Array.of(1, 2, 3));

function doubled() {
  const builder = new GraphBuilder("doubled");
  const input = builder.input("x", "float32", [3]);
  builder.output("y", add(input, input));
  return builder.build();
}

Deno.test("execute() finds a number before or after a result that is not as it was", async () => {
  await using backend = await load();
  assertEquals([...(await execute(backend, doubled(), { x })).y.data], [2, 4, 6]);
  for (
    const [place, message] of [
      [-1, "1 before its first element"],
      [-64, "64 before its first element"],
      [3, "1 after its last element"],
      [66, "64 after its last element"],
    ] as const
  ) {
    const run = execute(straying(backend, place, () => 0), doubled(), { x });
    await assertRejects(() => run, AssertionError, `Memory beside "y" is written: 0, ${message}`);
  }
});

Deno.test("execute() finds a result that is another the second time", async () => {
  await using backend = await load();
  const run = execute(straying(backend, 1, (run) => 4 + run), doubled(), { x });
  await assertRejects(() => run, AssertionError, 'doubled finds 4 in "y", then 5');
});
