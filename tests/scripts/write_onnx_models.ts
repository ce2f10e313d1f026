// Writes ONNX models for check_onnx.py: `deno run -A tests/scripts/write_onnx_models.ts FOLDER`. They are the programs of
// the embedded model, their weights bound or lying in a file, a step of training, and every case of an operator with its
// gradient. It fails if a primitive is in none of them.
import { toOnnx } from "../../backends/onnx/mod.ts";
import { supportsNode } from "../../backends/onnx/mod.ts";
import { buildSelectionProgram, type Selection } from "../../src/generation/programs/selection_program.ts";
import { differentiate } from "../../src/gradient/mod.ts";
import { type Graph, GraphBuilder, type Operator } from "../../src/graph/mod.ts";
import { architectureOf, buildCrossKeysValues, buildDecode, buildEncode } from "../../src/models/mod.ts";
import { VisionEncoderDecoderConfig } from "../../src/models/mod.ts";
import { assign, dropout, mul, operators, primitives, sub } from "../../src/operators/mod.ts";
import { prepare } from "../../src/passes/mod.ts";
import { readTensors } from "../conformance/read_golden.ts";

const [folder] = Deno.args;
const model = new URL("../../assets/model/", import.meta.url);
const architecture = architectureOf(await VisionEncoderDecoderConfig.fromPretrained(model));

/** The operators that stand in a model. */
const written = new Set<string>();

function write(name: string, graph: Graph, external: boolean): void {
  const prepared = prepare(graph, supportsNode);
  for (const node of prepared.nodes) written.add(node.operator.name);
  let offset = 0;
  const place = (parameter: string) => {
    if (!external) return "bound" as const;
    const byteLength = 4 * (prepared.parameters.get(parameter)!.shape as number[]).reduce((a, b) => a * b, 1);
    offset += byteLength;
    return { path: `${folder}/${name}.data`, offset: offset - byteLength, byteLength };
  };
  Deno.writeFileSync(`${folder}/${name}.onnx`, toOnnx(prepared, place).bytes);
  if (external) Deno.writeFileSync(`${folder}/${name}.data`, new Uint8Array(offset));
}

/** The program that computes a case's first output and its gradients. */
function gradientOf(forward: Graph, names: readonly string[]): Graph {
  const { dataType, shape } = forward.outputs.get("0")!;
  return differentiate(
    forward,
    "0",
    names.map((name) => forward.inputs.get(name)!),
    (builder, _, gradients) => gradients.forEach((value, i) => builder.output(`gradient ${names[i]}`, value!)),
    { cotangent: (builder) => builder.input("cotangent", dataType, shape) },
  );
}

for (const external of [false, true]) {
  const tag = external ? "external" : "bound";
  write(`encode_${tag}`, buildEncode(architecture, architecture.encoder.imageSize), external);
  write(`cross_${tag}`, buildCrossKeysValues(architecture), external);
  write(`decode_${tag}`, buildDecode(architecture), external);
}

const processors = { repetitionPenalty: true, noRepeatNgramSize: 3, tokenMask: true };
const { vocabularySize: vocabulary } = architecture.decoder;
const { states: caches } = buildDecode(architecture);
const selections: readonly Selection[] = [
  { kind: "greedy", processors, confident: true },
  { kind: "sample", processors, confident: true, topK: 50 },
  { kind: "candidates", processors, count: 8 },
  { kind: "beams", processors, beams: 4, kept: 12, each: 12, ends: [2, 3] },
  { kind: "logProbabilities" },
];
for (const selection of selections) {
  write(`select_${selection.kind}`, buildSelectionProgram(selection, { vocabulary, caches })!, false);
}

const cases = new URL("../fixtures/operators/", import.meta.url);
for (const file of ["operators", "extra"]) {
  const tensors = await readTensors(new URL(`${file}.safetensors`, cases));
  for (const entry of JSON.parse(await Deno.readTextFile(new URL(`${file}.json`, cases))).cases) {
    const builder = new GraphBuilder(entry.name);
    const operands = Object.entries<string>(entry.inputs).map(([key, tensor]) => {
      const { dataType, shape } = tensors.get(tensor)!;
      const named = entry.shapes?.[key] ?? shape;
      return key === "state" ? builder.state(key, dataType, named) : builder.input(key, dataType, named);
    });
    const operator = operators[entry.operator as "add"] as Operator;
    const outputs = builder.add(operator, operands, entry.attributes);
    if (!operator.writesState) outputs.forEach((value, i) => builder.output(`${i}`, value));
    const graph = builder.build();
    write(entry.name, graph, false);
    if (entry.gradients) write(`${entry.name}_gradient`, gradientOf(graph, Object.keys(entry.gradients)), false);
  }
}

const training = new GraphBuilder("training");
const weight = training.parameter("weight", [3, 4]);
assign(weight, sub(weight, mul(weight, training.scalar(0.1))));
write("training", training.build(), false);

const drawing = new GraphBuilder("drawing");
const [dropped, drawKey] = [drawing.input("x", "float32", ["batch", 3, 4]), drawing.input("key", "int64", [2])];
drawing.output("y", dropout(dropped, drawKey, { probability: 0.1, stream: 2 ** 32 - 1 }));
write("drawing", drawing.build(), false);

const missing = Object.keys(primitives).filter((name) => !written.has(name));
if (missing.length > 0) throw new Error(`no model has ${missing.join(", ")}`);
