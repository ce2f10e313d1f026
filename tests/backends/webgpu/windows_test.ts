// Tensors that are larger than a binding, on a device whose bindings are made small.
import { assert, assertEquals } from "@std/assert";
import { loadWithProfile } from "../../../backends/webgpu/mod.ts";
import { GraphBuilder, type Value } from "../../../src/graph/mod.ts";
import {
  add,
  concat,
  gather,
  linear,
  matmul,
  mul,
  pad,
  reduceMax,
  reduceMean,
  reduceSum,
  reshape,
  scatterAdd,
  transpose,
} from "../../../src/operators/mod.ts";
import { readCheckpoint, Trainer, VisionEncoderDecoderModel } from "../../../mod.ts";
import { Tensor } from "../../../src/tensor/mod.ts";
import { accuracies } from "../../conformance/accuracy.ts";
import { assertWithin } from "../../conformance/closeness.ts";
import { execute } from "../../conformance/execute.ts";
import { int64, numbers } from "../../conformance/repeatable_numbers.ts";
import { evaluate } from "../../conformance/oracle.ts";

/** Bytes: a window of 1024 numbers, where the table has 301 · 20. */
const maxBinding = 4096;

const [entries, width] = [301, 20];

/** What programs that train do with a large table: each function gives one output. */
const computations: Readonly<Record<string, (table: Value, x: Value, ids: Value) => Value>> = {
  product: (table, x) => matmul(x, transpose(table, { permutation: [1, 0] })),
  gradient: (table, x) =>
    matmul(transpose(matmul(x, transpose(table, { permutation: [1, 0] })), { permutation: [1, 0] }), x),
  turned: (table, x) => {
    const turn = (value: Value) => transpose(value, { permutation: [1, 0] });
    return mul(table, turn(matmul(turn(x), matmul(x, turn(table)))));
  },
  elementwise: (table, x) => add(mul(table, table), mul(reduceSum(x, { axes: [0] }), table)),
  columns: (table) => mul(reduceMean(table, { axes: [1], keepDimensions: true }), table),
  sum: (table) => reduceSum(mul(table, table), { axes: [0, 1] }),
  sums: (table) => reduceSum(table, { axes: [0] }),
  means: (table) => reduceMean(table, { axes: [1] }),
  maxima: (table) => reduceMax(table, { axes: [0] }),
  concat: (table, x) => concat([table, x, table], { axis: 0 }),
  pad: (table) => pad(table, { beginning: [3, 1], ending: [0, 2], value: 0.5 }),
  gather: (table, _, ids) => gather(table, ids, { axis: 0 }),
  layer: (table, x) => {
    const product = linear(x, table, { bias: reduceSum(table, { axes: [1] }), activation: "gelu" });
    return add(product, reduceSum(product, { axes: [0], keepDimensions: true }));
  },
  residual: (table, x) => add(linear(x, mul(table, table)), matmul(x, transpose(table, { permutation: [1, 0] }))),
  products: (table, x) => {
    const [left, right] = [[7, 43, 20], [7, 20, 43]].map((shape) => reshape(table, { shape }));
    return add(
      matmul(matmul(left, right), left),
      reduceSum(matmul(left, transpose(x, { permutation: [1, 0] })), { axes: [2], keepDimensions: true }),
    );
  },
  scatter: (table, x, ids) => add(table, scatterAdd(ids, x, { size: entries })),
};

for (const profile of ["soft", "soft-nosg", "gpu", "gpu-sg"] as const) {
  Deno.test(`webgpu's ${profile} kernels compute with tensors that are larger than a binding`, async (t) => {
    await using backend = await loadWithProfile(profile, { maxBinding });
    const tensors = {
      table: numbers(1, entries, width),
      x: numbers(2, 9, width),
      ids: new Tensor("int64", [9], int64(0, 5, 300, 100, 5, 51, 52, 203, 299)),
    };
    for (const [name, compute] of Object.entries(computations)) {
      // Products with parameters read them packed, at least 64 outputs at a time.
      for (const asParameter of name === "layer" ? [false] : [false, true]) {
        await t.step(`${name} of ${asParameter ? "a parameter" : "an input"}`, async () => {
          const builder = new GraphBuilder(name);
          const { table: given, ...inputs } = tensors;
          const table = asParameter
            ? builder.parameter("table", [entries, width])
            : builder.input("table", "float32", [entries, width]);
          const [x, ids] = Object.entries(inputs).map(([key, { dataType, shape }]) =>
            builder.input(key, dataType, shape)
          );
          builder.output("y", compute(table, x, ids));
          const graph = builder.build();
          const own = asParameter ? inputs : tensors;
          const used = Object.fromEntries(Object.entries(own).filter(([key]) => graph.inputs.has(key)));
          const parameters: Record<string, Tensor> = asParameter ? { table: given } : {};
          const { y } = await execute(backend, graph, used, {}, parameters);
          assertWithin(y, evaluate(graph, { ...used, ...parameters }).y, accuracies.webgpu.ceiling, name);
        });
      }
    }
    assertEquals(backend.counters.liveHandles, 0);
  });
}

for (const profile of ["soft", "gpu", "gpu-sg"] as const) {
  Deno.test(`a model trains by webgpu's ${profile} kernels whose embedding is larger than a binding`, async () => {
    const source = "tests/fixtures/models/vit_gpt2_captioning";
    const golden = await readCheckpoint(`${source}/golden.safetensors`);
    const embedding = "decoder.transformer.wte.weight";
    const maxBinding = 40_960;
    assert(4 * golden.get(`grad.${embedding}`)!.size > maxBinding);
    await using backend = await loadWithProfile(profile, { maxBinding });
    await using model = await VisionEncoderDecoderModel.fromPretrained(source, { backend });
    await using trainer = await Trainer.create(model, { learningRate: 1e-3 });
    const batch = { pixelValues: golden.get("pixel_values")!, labels: golden.get("labels")! };
    const gradients = await trainer.gradients(batch);
    for (const [key, expected] of golden) {
      const name = key.slice("grad.".length);
      if (!key.startsWith("grad.")) continue;
      const data = expected.data as Float32Array;
      const found = gradients.get(name)!.data as Float32Array;
      const largest = data.reduce((most, x) => Math.max(most, Math.abs(x)), 0);
      const error = data.reduce((most, x, i) => Math.max(most, Math.abs(x - found[i])), 0);
      // Some gradients are sums that cancel.
      assert(error <= Math.max(2e-4 * largest, 1e-6), `${name}: off by ${error} of ${largest}`);
    }
    // The step writes the embedding and its moments.
    const losses: number[] = [];
    for (let step = 0; step < 3; step++) losses.push((await trainer.step(batch)).loss);
    assert(losses[2] < losses[1] && losses[1] < losses[0], `${losses}`);
  });
}
