// What is dropped in training is what Transformers drops (tests/scripts/make_dropout.py notes it): at the same places of
// every family, with the same probabilities.
import { assert, assertEquals, assertThrows } from "@std/assert";
import { ConfigError, loadBackend } from "../../mod.ts";
import { differentiate } from "../../src/gradient/mod.ts";
import { type BackendName, type Graph, type Node, resolveShape, type Sizes } from "../../src/graph/mod.ts";
import { readDefinition } from "../../src/model/model_definition.ts";
import { architectureOf, buildForward, dropoutKey } from "../../src/models/mod.ts";
import { type DropoutAttributes, mul } from "../../src/operators/mod.ts";
import { rewrite } from "../../src/passes/mod.ts";
import { sizeOf, Tensor } from "../../src/tensor/mod.ts";
import type { StoredWeights } from "../../src/weights/mod.ts";
import { testedBackends } from "../backends/tested_backends.ts";
import { assertClose } from "../conformance/closeness.ts";
import { memorySource } from "../conformance/execute.ts";
import { keyTensor } from "../conformance/random_draws.ts";
import { readTensors } from "../conformance/read_golden.ts";

type Call = [probability: number, elements: number, perSample?: true];

interface Case {
  readonly name: string;
  readonly encoder: Record<string, number>;
  readonly decoder: Record<string, number>;
  readonly calls: Call[];
}

const fixtures = new URL("../fixtures/", import.meta.url);
const cases: readonly Case[] = JSON.parse(await Deno.readTextFile(new URL("dropout/cases.json", fixtures)));
const golden = await readTensors(new URL("dropout/golden.safetensors", fixtures));

/** A model with a case's probabilities, and what it is given. */
async function read(name: string, probabilities: Pick<Case, "encoder" | "decoder">) {
  const folder = new URL(`models/${name}/`, fixtures);
  const { config, parameters } = await readDefinition(folder, { loading: loadBackend("reference"), choose() {} }, {});
  Object.assign(config.encoder, probabilities.encoder);
  Object.assign(config.decoder, probabilities.decoder);
  const given = await readTensors(new URL("golden.safetensors", folder));
  const [pixelValues, ids] = [given.get("pixel_values")!, given.get("decoder_input_ids")!];
  return { architecture: architectureOf(config), weights: parameters.parameters, pixelValues, ids, config };
}

type Read = Awaited<ReturnType<typeof read>>;

function build({ architecture, pixelValues }: Read, { loss = false, dropout = true } = {}): Graph {
  return buildForward(architecture, { size: pixelValues.shape.slice(2) as [number, number], dropout, loss });
}

const dropouts = (graph: Graph): Node[] => graph.nodes.filter(({ operator }) => operator.name === "dropout");

/** The calls of dropout, those of one attention's groups of windows taken together. */
function callsOf(graph: Graph, sizes: Sizes): Call[] {
  const calls: (Call & { place?: string })[] = [];
  for (const { label, attributes, outputs: [{ shape }] } of dropouts(graph)) {
    const { probability, perSample } = attributes as DropoutAttributes;
    const elements = sizeOf(resolveShape(shape, sizes));
    const place = label.replace(/(?<=self\.dropout)\.\d+$/, "");
    const last = calls.at(-1);
    if (last?.place === place) last[1] += elements;
    else calls.push(Object.assign([round(probability), elements, ...(perSample ? [true] : [])] as Call, { place }));
  }
  return calls.map((call) => [...call] as Call);
}

const round = (probability: number): number => Math.round(probability * 1e6) / 1e6;

async function run(
  name: BackendName,
  graph: Graph,
  weights: StoredWeights,
  given: Record<string, Tensor>,
) {
  await using backend = await loadBackend(name);
  using opened = await backend.open(weights);
  using program = await backend.compile(graph, opened);
  using stream = backend.stream();
  using stack = new DisposableStack();
  const [batch, T] = given.decoderInputIds.shape;
  const buffers = Object.fromEntries(
    [...graph.inputs, ...graph.outputs].map((
      [key, { dataType, shape }],
    ) => [key, stack.use(backend.allocate(dataType, resolveShape(shape, { batch, T })))]),
  );
  for (const key of graph.inputs.keys()) stream.write(buffers[key], given[key].data);
  stream.enqueue(stack.use(program.bind(buffers, { batch, T })));
  return Object.fromEntries(
    await Promise.all([...graph.outputs.keys()].map(async (key) => [key, await stream.read(buffers[key])] as const)),
  );
}

/** The first numbers of each line along the last axis. */
function firstOf({ shape, data }: Tensor, count: number): Tensor {
  const width = shape.at(-1)!;
  const kept = (data as Float32Array).filter((_, i) => i % width < count);
  return new Tensor("float32", [...shape.slice(0, -1), count], kept);
}

for (const { name, calls, ...probabilities } of cases) {
  Deno.test(`${name} drops where Transformers does`, async () => {
    const model = await read(name, probabilities);
    const graph = build(model);
    const [batch, T] = model.ids.shape;
    assertEquals(callsOf(graph, { batch, T }), calls);
    const streams = dropouts(graph).map(({ attributes }) => (attributes as DropoutAttributes).stream);
    assertEquals(new Set(streams).size, streams.length);
    // In place of random masks all stays, divided by how probable that is.
    const scaled = rewrite(graph, (node, [x]) => {
      if (node.operator.name !== "dropout") return undefined;
      return [mul(x, x.builder.scalar(1 / (1 - (node.attributes as DropoutAttributes).probability)))];
    });
    const given = { pixelValues: model.pixelValues, decoderInputIds: model.ids, [dropoutKey]: keyTensor(0, 0) };
    const results = await run("reference", scaled, model.weights, given);
    assertClose(results.encoderStates, golden.get(`${name}.states`)!, 1e-4, "the encoder's states");
    const logits = golden.get(`${name}.logits`)!;
    assertClose(firstOf(results.logits, logits.shape.at(-1)!), logits, 1e-4, "the logits");
  });
}

Deno.test("DistilBERT's decoder drops as its modules and BERT's cross-attention do", async () => {
  const decoder = { dropout: 0.2, attention_dropout: 0.3 };
  const model = await read("vit_distilbert", { encoder: {}, decoder });
  const labels = dropouts(build(model)).map(({ label, attributes }) =>
    `${label.replace("decoder.distilbert.", "")} ${(attributes as DropoutAttributes).probability}`
  ).filter((text) => !text.startsWith("encoder"));
  assertEquals(labels.slice(0, 5), [
    "embeddings.dropout 0.2",
    "transformer.layer.0.attention.dropout 0.3",
    "transformer.layer.0.crossattention.dropout 0.3",
    "transformer.layer.0.crossattention.output.dropout 0.2",
    "transformer.layer.0.ffn.lin2.dropout 0.2",
  ]);
});

Deno.test("a program without dropout, or of probabilities that are 0, draws nothing and is the same", async () => {
  for (const { name, encoder, decoder } of cases) {
    const zeros = (fields: Record<string, number>) => Object.fromEntries(Object.keys(fields).map((key) => [key, 0]));
    const model = await read(name, { encoder: zeros(encoder), decoder: zeros(decoder) });
    const operators = (dropout: boolean) => build(model, { dropout }).nodes.map(({ operator }) => operator.name);
    assertEquals(operators(true), operators(false));
    const dropping = await read(name, { encoder, decoder });
    assertEquals(build(dropping, { dropout: false }).nodes.map(({ operator }) => operator.name), operators(false));
    assert(build(dropping).inputs.has(dropoutKey) && !build(model).inputs.has(dropoutKey));
  }
});

Deno.test("everything is dropped with probability 1, layers are not left out, and other probabilities are refused", async () => {
  const all = await read("vit_bert", {
    encoder: {},
    decoder: { hidden_dropout_prob: 1, attention_probs_dropout_prob: 0 },
  });
  const given = { pixelValues: all.pixelValues, decoderInputIds: all.ids };
  const { logits } = await run("reference", build(all), all.weights, given);
  assert(logits.data.every((value: number | bigint) => Number.isFinite(value)));
  assertEquals(logits.data.slice(0, 5), logits.data.slice(320, 325)); // nothing is left of tokens
  const layers = await read("vit_bart", { encoder: {}, decoder: { decoder_layerdrop: 0.5 } });
  build(layers, { dropout: false });
  const error = assertThrows(() => build(layers), ConfigError, "decoder.decoder_layerdrop is 0.5");
  assertEquals(error.key, "decoder.decoder_layerdrop");
  const { config } = all;
  for (const value of [1.5, -0.1, null, "0.1"]) {
    Object.assign(config.encoder, { hidden_dropout_prob: value });
    const refused = assertThrows(() => architectureOf(config), ConfigError, "a number from 0 to 1");
    assertEquals(refused.key, "encoder.hidden_dropout_prob");
  }
});

/** The loss, and its gradient by one weight that all of the encoder's dropout reaches. */
function withGradient(forward: Graph): Graph {
  const name = [...forward.parameters.keys()].find((key) => key.endsWith("projection.weight"))!;
  return differentiate(
    forward,
    "loss",
    [forward.parameters.get(name)!],
    (builder, _, [gradient]) => builder.output("gradient", gradient!),
  );
}

for (const name of ["vit_bert", "swin_gpt2", "donut_swin_mbart", "beit_roberta_shared"]) {
  Deno.test(`${name} drops the same on every backend, and other elements at other steps`, async () => {
    const model = await read(name, cases.find((each) => each.name === name)!);
    const graph = withGradient(build(model, { loss: true }));
    const loaded = await Promise.all(
      [...model.weights].map(async ([key, weight]) => [key, await weight.load()] as const),
    );
    const labels = new Tensor("int64", model.ids.shape, (model.ids.data as BigInt64Array).map((id) => id + 1n));
    const inputs = { pixelValues: model.pixelValues, decoderInputIds: model.ids, labels };
    const losses: number[] = [];
    for (const step of [1, 2]) {
      const given = { ...inputs, [dropoutKey]: keyTensor(42, step) };
      const [expected, ...others] = await Promise.all(
        ["reference" as const, ...testedBackends.filter((backend) => backend !== "reference")].map(async (backend) =>
          [backend, await run(backend, graph, memorySource(Object.fromEntries(loaded)), given)] as const
        ),
      );
      losses.push(Number(expected[1].loss.data[0]));
      for (const [backend, results] of others) {
        const tolerance = backend === "webgpu" ? 2e-3 : 1e-4;
        for (const key of ["loss", "encoderStates", "logits", "gradient"]) {
          assertClose(results[key], expected[1][key], tolerance, `${backend}'s ${key}`);
        }
      }
    }
    assert(Math.abs(losses[0] - losses[1]) > 1e-3, `${losses}`);
  });
}
