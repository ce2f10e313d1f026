// Writes ONNX models for check_onnx.py: `deno run -A tests/scripts/write_onnx_models.ts FOLDER`. They are the programs of
// the embedded model, their weights bound or lying in a file, and one model for each operator that ONNX lowers.
import { toOnnx } from "../../backends/onnx/mod.ts";
import { supportsNode } from "../../backends/onnx/mod.ts";
import { buildSelect, type Selection } from "../../src/generation/select.ts";
import { type Graph, GraphBuilder, type Operator } from "../../src/graph/mod.ts";
import { architectureOf, buildCrossKeysValues, buildDecode, buildEncode } from "../../src/models/mod.ts";
import { VisionEncoderDecoderConfig } from "../../src/models/mod.ts";
import { operators } from "../../src/operators/mod.ts";
import { prepare } from "../../src/passes/mod.ts";
import { readTensors } from "../conformance/golden.ts";

const [folder] = Deno.args;
const backend = { supports: supportsNode };
const model = new URL("../../assets/model/", import.meta.url);
const architecture = architectureOf(await VisionEncoderDecoderConfig.fromPretrained(model));

function write(name: string, graph: Graph, external: boolean): void {
  const prepared = prepare(graph, backend);
  let offset = 0;
  const place = (parameter: string) => {
    if (!external) return "bound" as const;
    const byteLength = 4 * (prepared.parameters.get(parameter)!.shape as number[]).reduce((a, b) => a * b, 1);
    offset += byteLength;
    return { file: `${name}.data`, offset: offset - byteLength, byteLength };
  };
  Deno.writeFileSync(`${folder}/${name}.onnx`, toOnnx(prepared, place).bytes);
  if (external) Deno.writeFileSync(`${folder}/${name}.data`, new Uint8Array(offset));
}

for (const external of [false, true]) {
  const tag = external ? "external" : "bound";
  write(`encode_${tag}`, buildEncode(architecture, architecture.encoder.imageSize), external);
  write(`cross_${tag}`, buildCrossKeysValues(architecture), external);
  write(`decode_${tag}`, buildDecode(architecture), external);
}

const selections: readonly Selection[] = [
  { kind: "greedy", ruled: true },
  { kind: "sample", ruled: true, topK: 50 },
  { kind: "candidates", ruled: true, count: 8 },
  { kind: "logProbabilities" },
];
for (const selection of selections) {
  write(`select_${selection.kind}`, buildSelect(selection, architecture.decoder.vocabularySize)!, false);
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
    const outputs = builder.add(operators[entry.operator as "add"] as Operator, operands, entry.attributes);
    if (entry.operator !== "cacheAppend") outputs.forEach((value, i) => builder.output(`${i}`, value));
    write(entry.name, builder.build(), false);
  }
}
