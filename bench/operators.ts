// Operators at the shapes that cost the time: a matrix product of an encoder, a matrix times a vector of a decode step, and
// attention in both. Each is timed through the seam, on any backend.
import { type Backend, type Graph, GraphBuilder, type WeightStorage } from "../src/graph/mod.ts";
import { attention, linear } from "../src/operators/mod.ts";
import { Tensor } from "../src/tensor/mod.ts";
import { type StoredWeights, weightFromTensor, weightOfBlocks } from "../src/weights/mod.ts";
import { encodeBlocks } from "../src/weights/encode_blocks.ts";

/** One thing to time. */
export interface OperatorBench {
  readonly name: string;
  readonly unit: "GFLOP/s" | "GB/s";
  /** What one run does: floating-point operations, or bytes read. */
  readonly work: number;
  /** The same in PyTorch: an expression of these tensors. */
  readonly torch: string;
  readonly inputs: Readonly<Record<string, readonly number[]>>;
  /** A graph whose output is `y`. */
  build(): Graph;
}

function product(name: string, M: number, K: number, N: number): OperatorBench {
  const bytes = 4 * K * N;
  return {
    name,
    ...(M > 1 ? { unit: "GFLOP/s", work: 2 * M * K * N } : { unit: "GB/s", work: bytes }),
    torch: "F.linear(x, weight)",
    inputs: { x: [1, M, K], weight: [N, K] },
    build() {
      const builder = new GraphBuilder(name);
      const x = builder.input("x", "float32", [1, M, K]);
      builder.output("y", linear(x, builder.parameter("weight", [N, K])));
      return builder.build();
    },
  };
}

// T queries on S keys in H heads of width D.
function attending(name: string, H: number, T: number, S: number, D: number): OperatorBench {
  const inputs = { query: [1, H, T, D], key: [1, H, S, D], value: [1, H, S, D] };
  return {
    name,
    ...(T > 1 ? { unit: "GFLOP/s", work: 4 * H * T * S * D } : { unit: "GB/s", work: 8 * H * S * D }),
    torch: "F.scaled_dot_product_attention(query, key, value)",
    inputs,
    build() {
      const builder = new GraphBuilder(name);
      const [query, key, value] = Object.entries(inputs).map(([part, shape]) => builder.input(part, "float32", shape));
      builder.output("y", attention(query, key, value));
      return builder.build();
    },
  };
}

/** What is timed. */
export const operatorBenches: readonly OperatorBench[] = [
  product("matmul_vit_base_m197_k768_n3072", 197, 768, 3072),
  product("matmul_embedded_m65_k192_n768", 65, 192, 768),
  product("matvec_decode_k768_n3072", 1, 768, 3072),
  product("matvec_head_k768_n32000", 1, 768, 32000),
  product("matvec_embedded_k192_n768", 1, 192, 768),
  attending("attention_vit_base_h12_t197_s197_d64", 12, 197, 197, 64),
  attending("attention_decode_h12_t1_s197_d64", 12, 1, 197, 64),
];

/**
 * Time one operator, warmed up, the device waited for once at the end.
 *
 * @param storage How its weights are held; rates are of their float32.
 * @returns Its rate, in the case's unit.
 */
export async function timeOperator(
  backend: Backend,
  bench: OperatorBench,
  storage: WeightStorage = "float32",
): Promise<number> {
  const graph = bench.build();
  using weights = await backend.open(randomParameters(graph, storage), { storage });
  using program = await backend.compile(graph, weights);
  using stack = new DisposableStack();
  const stream = stack.use(backend.stream());
  const tensors = Object.fromEntries(
    [...graph.inputs, ...graph.outputs].map(([name, value]) => {
      const shape = value.shape.map(Number);
      const tensor = stack.use(backend.allocate(value.dataType, shape));
      if (graph.inputs.has(name)) stream.write(tensor, random(shape).data);
      return [name, tensor];
    }),
  );
  using run = program.bind(tensors);
  // One element is read, so that waiting is in the time and copying is not.
  const first = tensors.y.capacity.map(() => 1);
  const measure = async (runs: number): Promise<number> => {
    const began = performance.now();
    for (let i = 0; i < runs; i++) stream.enqueue(run);
    await stream.read(tensors.y, { shape: first });
    return performance.now() - began;
  };
  await measure(1);
  let runs = 1;
  let elapsed = await measure(runs);
  while (elapsed < 300) {
    runs *= Math.min(16, Math.max(2, Math.ceil(350 / elapsed)));
    elapsed = await measure(runs);
  }
  return bench.work * runs / elapsed / 1e6;
}

function randomParameters(graph: Graph, storage: WeightStorage): StoredWeights {
  return new Map(
    [...graph.parameters].map(([name, value]) => {
      const tensor = random(value.shape.map(Number));
      if (storage !== "q8" && storage !== "q4") return [name, weightFromTensor(tensor)];
      const encoding = { bits: storage === "q8" ? 8 : 4, block: 32, axis: 1 } as const;
      const blocks = encodeBlocks(tensor.data as Float32Array, tensor.shape, encoding);
      return [name, weightOfBlocks(tensor.shape, { ...encoding, load: () => Promise.resolve(blocks) })];
    }),
  );
}

function random(shape: readonly number[]): Tensor {
  const data = Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => Math.random() - 0.5);
  return new Tensor("float32", shape, data);
}
