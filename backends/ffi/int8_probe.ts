// Which products of many rows are faster on this processor: those of 8-bit integers, or those of float32 with weights that
// are decoded first. Where each block has a scale of its own, only a processor with instructions for 8-bit integers is tried: on
// others they lose (by half on AVX2), and what is timed on a busy machine must not change a model's results from one day to the
// next. Where a row has one scale, they win wherever ONNX Runtime has kernels for them: those of VNNI want signed codes (2.0 to 2.3
// times as fast as with codes as they lie, and 2.1 to 2.4 times as fast as float32), those of AVX2 would add two such products in
// 16 bits, which are too few.
import { type Graph, GraphBuilder, type Run } from "../../src/graph/mod.ts";
import { linear } from "../../src/operators/mod.ts";
import { prepare } from "../../src/passes/mod.ts";
import { type CodeForm, weightOfBlocks } from "../../src/weights/mod.ts";
import { supportsNode } from "../onnx/mod.ts";
import { type CompiledSession, OnnxProgram, OnnxStream, RuntimeTensor } from "../onnx/session/mod.ts";
import type { FfiRuntime } from "./session.ts";
import { FfiWeights } from "./weights.ts";

/** Rows and width of the product that is timed: a millisecond or two. */
const [rows, width, block] = [128, 512, 64];

/** How often each is timed. */
const rounds = 5;

/** The 8-bit product must take at most this part of the other's time: its results are coarser. */
const worthIt = 0.8;

/** Compiles a graph. */
type Compile = (graph: Graph, weights: FfiWeights, int8Products: boolean) => Promise<CompiledSession>;

/** Instructions that multiply 8-bit integers and add up the products, as Linux calls them: of x86, and of arm64. */
const instructions = /\b(?:avx512_vnni|avx_vnni|i8mm)\b/;

/** Those of ONNX Runtime's kernels that multiply unsigned codes with signed ones, and of those that take unsigned ones alone. */
const forms = { signed: /\b(?:avx512_vnni|avx_vnni|asimddp)\b/, unsigned: /\bavx2\b/ };

/**
 * The form of codes for which products of whole numbers are fastest, with weights whose rows have one scale; undefined where it is
 * faster to decode the weights (on AVX2 alone that takes 1.5 to 1.8 times as long).
 */
export function wholeRowForm(): CodeForm | undefined {
  return (["signed", "unsigned"] as const).find((form) => hasInstructions(forms[form]));
}

/** Whether the processor is known to have instructions; where its features cannot be read it is not. */
function hasInstructions(instructions: RegExp): boolean {
  const path = "/proc/cpuinfo";
  if (Deno.build.os !== "linux" || Deno.permissions.querySync({ name: "read", path }).state !== "granted") return false;
  try {
    return instructions.test(Deno.readTextFileSync(path));
  } catch {
    return false;
  }
}

/** Whether 8-bit products are faster; some milliseconds where the processor has them. */
export async function int8IsFaster(runtime: FfiRuntime, compile: Compile): Promise<boolean> {
  return hasInstructions(instructions) && await timeProducts(runtime, compile);
}

/** Whether 8-bit products take clearly less time. */
export async function timeProducts(runtime: FfiRuntime, compile: Compile): Promise<boolean> {
  const builder = new GraphBuilder("int8Probe");
  const x = builder.input("x", "float32", [rows, width]);
  builder.output("y", linear(x, builder.parameter("weight", [width, width])));
  const graph = prepare(builder.build(), (node) => supportsNode(node));
  using stack = new DisposableStack();
  const codes = new Uint8Array(width * width).fill(129);
  const scales = new Float32Array(width * width / block).fill(1);
  const load = () => Promise.resolve({ codes, scales });
  const source = new Map([["weight", weightOfBlocks([width, width], { bits: 8, block, axis: 1, load })]]);
  const weights = stack.use(new FfiWeights(runtime, source, {}));
  const buffer = () => stack.use(new RuntimeTensor(runtime, "float32", [rows, width]));
  const [input, output] = [buffer(), buffer()];
  const stream = stack.use(new OnnxStream(runtime, {}));
  const runs: Run[] = [];
  for (const int8Products of [false, true]) {
    const again = () => compile(graph, weights, int8Products);
    const program = stack.use(new OnnxProgram(runtime, graph, weights, again, true, await again()));
    runs.push(stack.use(program.bind({ x: input, y: output })));
  }
  const least = [Infinity, Infinity];
  for (let round = 0; round < rounds; round++) {
    for (const [i, run] of runs.entries()) {
      const began = performance.now();
      stream.enqueue(run);
      await stream.read(output, { shape: [1] });
      least[i] = Math.min(least[i], performance.now() - began);
    }
  }
  return least[1] < worthIt * least[0];
}
