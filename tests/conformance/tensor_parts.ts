// What every backend promises of parts of tensors: a binding may begin anywhere, and leaves its neighbours as they were.
import { assertEquals, assertThrows } from "@std/assert";
import { ShapeError } from "../../src/errors/mod.ts";
import { type Backend, type DeviceTensor, type Graph, GraphBuilder, type TensorPart } from "../../src/graph/mod.ts";
import { add, assign, cacheAppend, concat, mul, reshape, slice } from "../../src/operators/mod.ts";
import { sizeOf } from "../../src/tensor/mod.ts";
import { memorySource } from "./execute.ts";

type Load = () => Promise<Backend>;

/** What is bound, and its shape. */
const shapes = { x: [2, 3], sum: [2, 3], moved: [2, 3], cache: [1, 4, 3], y: [2, 3], old: [6] } as const;

type Name = keyof typeof shapes;

const names = Object.keys(shapes) as Name[];

/** States that are written in their place, at the end, and at a position; an output and a state's old value. */
function program(): Graph {
  const builder = new GraphBuilder("parts");
  const x = builder.input("x", "float32", shapes.x);
  const [sum, moved] = (["sum", "moved"] as const).map((name) => builder.state(name, "float32", shapes[name]));
  const cache = builder.state("cache", "float32", shapes.cache);
  const next = assign(sum, add(sum, x));
  const rows = [1, 0].map((row) => slice(moved, { starts: [row, 0], sizes: [1, 3] }));
  assign(moved, concat(rows, { axis: 0 }));
  cacheAppend(cache, reshape(rows[0], { shape: [1, 1, 3] }), { axis: 1, at: "past" });
  builder.output("y", mul(next, x));
  builder.output("old", reshape(moved, { shape: [6] }));
  return builder.build();
}

/** What a run makes of the values. */
function compute(values: Record<Name, number[]>, past: number): void {
  const { x, sum, moved, cache } = values;
  values.old = moved.slice();
  values.sum = sum.map((value, i) => value + x[i]);
  values.y = values.sum.map((value, i) => value * x[i]);
  cache.splice(3 * past, 3, ...moved.slice(3));
  values.moved = [...moved.slice(3), ...moved.slice(0, 3)];
}

/** Where each is bound: in a tensor of its own or all in one, and the elements before each. */
const layouts = [
  { name: "at aligned offsets", one: false, offset: () => 64 },
  { name: "at any offsets", one: false, offset: (i: number) => 3 + i },
  { name: "at aligned offsets of one tensor", one: true, offset: (i: number) => 64 * (i + 1) },
  { name: "side by side in one tensor", one: true, offset: (i: number) => 1 + 6 * i + (i > 3 ? 6 : 0) },
];

function bindsParts(name: string, load: Load): void {
  for (const layout of layouts) {
    Deno.test(`${name} binds parts ${layout.name}`, async () => {
      await using backend = await load();
      using stream = backend.stream();
      using weights = await backend.open(memorySource());
      using compiled = await backend.compile(program(), weights);
      using stack = new DisposableStack();
      const size = 500;
      const expected = new Map<DeviceTensor, Float32Array>();
      const allocate = () => {
        const tensor = stack.use(backend.allocate("float32", [size]));
        expected.set(tensor, Float32Array.from({ length: size }, (_, i) => -i));
        return tensor;
      };
      const shared = layout.one ? allocate() : undefined;
      const parts: Record<string, TensorPart> = {};
      names.forEach((key, i) => parts[key] = { tensor: shared ?? allocate(), offset: layout.offset(i) });
      const values = Object.fromEntries(
        names.map((key, i) => [key, Array.from({ length: sizeOf(shapes[key]) }, (_, n) => 7 * i + n + 1)]),
      ) as Record<Name, number[]>;
      const put = () => names.forEach((key) => expected.get(parts[key].tensor)!.set(values[key], parts[key].offset));
      put();
      for (const [tensor, data] of expected) stream.write(tensor, data);
      using run = compiled.bind(parts, { past: 3 });
      for (const past of [0, 2, 3]) {
        stream.enqueue(run, { past });
        compute(values, past);
      }
      put();
      for (const [tensor, data] of expected) assertEquals((await stream.read(tensor)).data, data);
    });
  }
}

function refusesParts(name: string, load: Load): void {
  Deno.test(`${name} refuses parts that do not fit or are written twice, and stays usable`, async () => {
    await using backend = await load();
    using stream = backend.stream();
    const builder = new GraphBuilder("two");
    const [a, b] = ["a", "b"].map((key) => builder.input(key, "float32", [4]));
    const state = builder.state("state", "float32", [2, 2]);
    assign(state, reshape(add(a, b), { shape: [2, 2] }));
    builder.output("y", mul(a, b));
    using weights = await backend.open(memorySource());
    using compiled = await backend.compile(builder.build(), weights);
    using tensor = backend.allocate("float32", [12]);
    using whole = backend.allocate("float32", [2, 2]);
    using flat = backend.allocate("float32", [4]);
    const at = (offset: number) => ({ tensor, offset });
    const refused = [
      [{ a: at(9), b: at(0), state: whole, y: flat }, "from element 9 on"],
      [{ a: at(-1), b: at(0), state: whole, y: flat }, "element -1"],
      [{ a: at(0.5), b: at(0), state: whole, y: flat }, "element 0.5"],
      [{ a: at(0), b: at(0), state: flat, y: at(4) }, '"state"'],
      [{ a: at(0), b: at(4), state: whole, y: at(7) }, '"y" is written, and shares elements of its buffer with "b"'],
      [{ a: at(0), b: at(4), state: at(5), y: flat }, '"state" is written'],
      [{ a: at(0), b: tensor, state: whole, y: at(3) }, '"y" is written'],
    ] as const;
    for (const [parts, message] of refused) assertThrows(() => compiled.bind(parts), ShapeError, message);
    // What is only read may overlap, and a state may be a part of any tensor that has its elements.
    stream.write(tensor, Float32Array.of(1, 2, 3, 4, 5));
    using run = compiled.bind({ a: at(0), b: at(1), state: { tensor: flat, offset: 0 }, y: at(8) });
    stream.enqueue(run);
    assertEquals([...(await stream.read(tensor)).data], [1, 2, 3, 4, 5, 0, 0, 0, 2, 6, 12, 20]);
    assertEquals([...(await stream.read(flat)).data], [3, 5, 7, 9]);
  });
}

/**
 * Check what a backend promises of parts of tensors.
 *
 * @param name The backend's name, for the tests' names.
 * @param load Loads it.
 */
export function partProofs(name: string, load: Load): void {
  bindsParts(name, load);
  refusesParts(name, load);
}
