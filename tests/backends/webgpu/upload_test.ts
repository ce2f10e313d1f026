// How parameters come to the device: in pieces, into every layout, and with a bound on what is under way.
import { assert, assertEquals, assertRejects } from "@std/assert";
import { findAdapter, openDevice } from "../../../backends/webgpu/device/adapter.ts";
import { WebGpuBackend } from "../../../backends/webgpu/backend.ts";
import { load } from "../../../backends/webgpu/mod.ts";
import { uploadBudget } from "../../../backends/webgpu/weights/uploader.ts";
import { type Backend, type DeviceTensor, type Graph, GraphBuilder } from "../../../src/graph/mod.ts";
import { add, cast, gather, linear } from "../../../src/operators/mod.ts";
import { allocateArray, bytesPerElement, type DataType, sizeOf, Tensor, toBfloat16 } from "../../../src/tensor/mod.ts";
import type { StoredWeight, StoredWeights } from "../../../src/weights/mod.ts";
import { memorySource } from "../../conformance/execute.ts";

/** Parameters that are read in parts only; the longest part is remembered. */
class PartSource extends Map<string, StoredWeight> {
  longest = 0;
  /** Reads that go well before one fails. */
  failsAfter = Infinity;

  constructor(tensors: Readonly<Record<string, Tensor>>) {
    super();
    for (const [name, { dataType, shape, data }] of Object.entries(tensors)) {
      const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
      this.set(name, {
        dataType,
        shape,
        load: () => Promise.reject(new Error(`${name} was read whole`)),
        readInto: async (offset, into) => {
          await Promise.resolve();
          if (this.failsAfter-- <= 0) throw new Error("the file is gone");
          this.longest = Math.max(this.longest, into.length);
          into.set(bytes.subarray(offset, offset + into.length));
        },
      });
    }
  }
}

/** Whole numbers from -8 to 7, which every type and every sum here holds exactly. */
function numbers(dataType: DataType, shape: readonly number[], seed = 0): Tensor {
  const data = allocateArray(dataType, sizeOf(shape));
  const value = (i: number) => (Math.imul(i + seed + 1, 0x9E3779B1) >>> 28) - 8;
  const convert = dataType === "int64" ? BigInt : dataType === "bfloat16" ? toBfloat16 : Number;
  for (let i = 0; i < data.length; i++) data[i] = convert(value(i)) as never;
  return new Tensor(dataType, shape, data);
}

const valuesOf = (tensor: Tensor) => (tensor.toList() as number[][]).flat();

/** Run a graph of one output once. */
async function run(backend: Backend, graph: Graph, source: StoredWeights, inputs: Record<string, Tensor> = {}) {
  using stack = new DisposableStack();
  const weights = stack.use(await backend.open(source));
  const program = stack.use(await backend.compile(graph, weights));
  const stream = stack.use(backend.stream());
  const tensors: Record<string, DeviceTensor> = {};
  for (const [name, { dataType, shape }] of [...graph.inputs, ...graph.outputs]) {
    tensors[name] = stack.use(backend.allocate(dataType, shape as number[]));
    if (inputs[name]) stream.write(tensors[name], inputs[name].data);
  }
  stream.enqueue(stack.use(program.bind(tensors)));
  return await stream.read(tensors.y);
}

function product(weight: Tensor, weightLayout: "out_in" | "in_out"): Graph {
  const builder = new GraphBuilder("product");
  const [a, b] = weight.shape;
  const x = builder.input("x", "float32", [2, weightLayout === "out_in" ? b : a]);
  builder.output("y", linear(x, builder.parameter("weight", weight.shape), { weightLayout }));
  return builder.build();
}

Deno.test("webgpu packs a weight that is longer than a piece, from parts and whole, whichever way it is stored", async () => {
  await using backend = await load();
  // Neither length is a multiple of a panel's.
  for (const [outputs, inputs] of [[2991, 301], [130, 9001]]) {
    const x = numbers("float32", [2, inputs], 7);
    for (const weightLayout of ["out_in", "in_out"] as const) {
      const byOutput = weightLayout === "out_in";
      for (const dataType of ["float32", "float16"] as const) {
        const weight = numbers(dataType, byOutput ? [outputs, inputs] : [inputs, outputs]);
        const parts = new PartSource({ weight });
        const found = await run(backend, product(weight, weightLayout), parts, { x });
        assert(parts.longest < weight.data.byteLength);
        const whole = await run(backend, product(weight, weightLayout), memorySource({ weight }), { x });
        assertEquals(whole.data, found.data);
        for (const [row, n] of [[0, 0], [0, 63], [1, 64], [0, outputs >> 1], [1, outputs - 1]]) {
          let sum = 0;
          for (let k = 0; k < inputs; k++) {
            const w = weight.data[byOutput ? n * inputs + k : k * outputs + n];
            sum += (x.data[row * inputs + k] as number) * (w as number);
          }
          assertEquals(found.data[row * outputs + n], sum, `${weightLayout} ${dataType} [${row}, ${n}]`);
        }
      }
    }
  }
  assertEquals(backend.counters.liveHandles, 0);
});

Deno.test("webgpu reads parameters of every type in parts", async () => {
  await using backend = await load();
  const shape = [3, 200_001];
  for (
    const dataType of ["float64", "float32", "float16", "bfloat16", "int64", "int32", "int16", "int8", "uint8"] as const
  ) {
    const table = numbers(dataType, shape);
    const builder = new GraphBuilder("table");
    const isFloat = dataType.includes("float");
    const value = builder.parameter("table", shape, isFloat ? "float32" : dataType);
    builder.output("y", isFloat ? add(value, builder.scalar(0)) : cast(value, { dataType: "float32" }));
    const parts = new PartSource({ table });
    const found = await run(backend, builder.build(), parts);
    assert(parts.longest < bytesPerElement(dataType) * table.size, dataType);
    assertEquals(valuesOf(found), valuesOf(table), dataType);
  }
});

Deno.test("webgpu has no more than a budget of parameters under way to the device", async () => {
  const { device, profile } = await openDevice((await findAdapter())!);
  await using backend = new WebGpuBackend(device, profile, "test");
  // 109 MB as float32, which the budget does not hold at once.
  const [rows, width] = [1024, 2048];
  const weights = Object.fromEntries(
    Array.from({ length: 13 }, (_, i) => [`w${i}`, numbers("float16", [rows, width], i)]),
  );
  const source = new PartSource(weights);
  const builder = new GraphBuilder("many");
  const ids = builder.input("ids", "int64", [1]);
  const taken = Object.keys(weights).map((name) => gather(builder.parameter(name, [rows, width]), ids, { axis: 0 }));
  builder.output("y", taken.reduce((a, b) => add(a, b)));
  const row = rows - 1;
  const found = await run(backend, builder.build(), source, {
    ids: new Tensor("int64", [1], BigInt64Array.of(BigInt(row))),
  });
  for (const k of [0, 1, width - 1]) {
    const sum = Object.values(weights).reduce((sum, { data }) => sum + (data[row * width + k] as number), 0);
    assertEquals(found.data[k], sum);
  }
  assert(source.longest <= 2 * rows * width / 4, `${source.longest} bytes were read at once`);
  const { uploadPeak } = device.counters;
  assert(uploadPeak > uploadBudget / 2 && uploadPeak <= uploadBudget, `${uploadPeak} bytes were under way`);
});

Deno.test("webgpu holds nothing of a parameter whose reading failed, and reads it again when asked again", async () => {
  await using backend = await load();
  const weight = numbers("float32", [1000, 1000]);
  const source = new PartSource({ weight });
  source.failsAfter = 1;
  const { liveHandles } = backend.counters;
  using weights = await backend.open(source);
  const graph = product(weight, "out_in");
  await assertRejects(() => backend.compile(graph, weights), Error, "the file is gone");
  assertEquals([backend.counters.liveHandles, backend.counters.weightBytes], [liveHandles, 0]);
  source.failsAfter = Infinity;
  using _program = await backend.compile(graph, weights);
  assertEquals(backend.counters.weightBytes, 4 * 1024 * 1000);
});
