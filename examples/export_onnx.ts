// A model as ONNX files, as ffi and wasm give it to ONNX Runtime: deno run -A examples/export_onnx.ts MODEL FOLDER [--standard]
//
// Think of the files as functions: encoder.onnx gives a picture's states, cross_keys_values.onnx what the decoder's attention reads
// of them, and decoder.onnx the logits of the next token, given `input:cross.…` and the states. A state is an array with room for
// a whole text: `tokens` [rows, capacity], of which the model reads positions `past` to `past + T`, and the caches `self.…`, whose
// new values are the outputs `next:self.…`. Inputs `size:…`, [1], int64, and `length:…`, [1], int32, are the sizes that they name:
// `past` (0 at first), `T` (tokens of this call), `L` (the last so many of them have logits), `batch`, `beams` (rows are
// batch · beams), `capacity`, or a sum or product of them. All parameters lie in weights.bin beside the files. With --standard they
// have ONNX's own operators of opset 20 alone, else also those of com.microsoft and of opset 24, which ONNX Runtime 1.24 has.
// tests/scripts/check_onnx.py runs them in Python.
import { VisionEncoderDecoderModel } from "@limner/limner";
import { allOperators, supportsNode, toOnnx } from "../backends/onnx/mod.ts";
import type { Graph } from "../src/graph/mod.ts";
import { PendingFile, writeFileAtomically } from "../src/hub/atomic_file.ts";
import { architectureOf, buildCrossKeysValues, buildDecode, buildEncode } from "../src/models/mod.ts";
import { prepare } from "../src/passes/mod.ts";
import { toFloat32 } from "../src/tensor/mod.ts";

const weightsFile = "weights.bin";
/** Where a parameter may begin: a multiple of this many bytes, so that readers can map it. */
const alignment = 64;

/** A place in weights.bin. */
interface Place {
  readonly path: string;
  readonly offset: number;
  readonly byteLength: number;
}

/** Write parameters as float32, one after another. @returns Where each lies. */
async function writeWeights(
  model: VisionEncoderDecoderModel,
  names: Iterable<string>,
  folder: string,
): Promise<Map<string, Place>> {
  const places = new Map<string, Place>();
  using file = await PendingFile.create(folder, weightsFile);
  let offset = 0;
  for (const name of names) {
    const { dataType, data } = await model.parameter(name);
    const { buffer, byteOffset, byteLength } = toFloat32(dataType, data);
    const padding = (alignment - byteLength % alignment) % alignment;
    places.set(name, { path: weightsFile, offset, byteLength });
    await file.write(new Uint8Array(buffer, byteOffset, byteLength));
    await file.write(new Uint8Array(padding));
    offset += byteLength + padding;
  }
  await file.flush();
  await file.appear();
  return places;
}

const [source, folder, ...flags] = Deno.args;
if (!source || !folder || flags.some((flag) => flag !== "--standard")) {
  console.error("Cannot export: expected deno run -A examples/export_onnx.ts MODEL FOLDER [--standard]");
  Deno.exit(2);
}
const operators = flags.length > 0 ? new Set<never>() : allOperators;

// The reference backend reads a parameter when it is asked for, and computes nothing here.
await using model = await VisionEncoderDecoderModel.fromPretrained(source, { backend: "reference", dtype: "float32" });
const architecture = architectureOf(model.config);
const graphs: Readonly<Record<string, Graph>> = {
  encoder: buildEncode(architecture, architecture.encoder.imageSize),
  cross_keys_values: buildCrossKeysValues(architecture),
  decoder: buildDecode(architecture),
};
const prepared = Object.entries(graphs).map(([name, graph]) =>
  [name, prepare(graph, (node) => supportsNode(node, operators))] as const
);

await Deno.mkdir(folder, { recursive: true });
const names = new Set(prepared.flatMap(([, graph]) => [...graph.parameters.keys()]));
const places = await writeWeights(model, names, folder);
for (const [name, graph] of prepared) {
  // A cache that attention appends to by itself must be the same memory before and after, which not every caller can see to.
  const { bytes } = toOnnx(graph, (name) => places.get(name)!, { operators, fusesCaches: false });
  await writeFileAtomically(folder, `${name}.onnx`, bytes);
  console.log(`${folder}/${name}.onnx`);
}
