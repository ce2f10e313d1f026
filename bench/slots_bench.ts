// What rows that began apart cost: `deno run -A bench/slots_bench.ts [BACKEND ROUNDS FOLDER THREADS steps|encodings]`. A
// captioner of usual size, ViT-B/16 with GPT-2, random, is made unless FOLDER holds one. Figures to reach: a step of 8 rows
// with lengths of their own at most 1.05 times (webgpu in software 1.1) one whose rows have one length; a picture encoded
// into a slot while 7 rows wait at most 1.1 times one encoded alone; an encoding in 4 parts at most 1.05 times one in one.
// Beside the time that passed stands the processors', which other work on the machine disturbs less.
import process from "node:process";
import {
  type Backend,
  type BackendName,
  defaultConfig,
  loadBackend,
  Tensor,
  VisionEncoderDecoderConfig,
  VisionEncoderDecoderModel,
} from "../mod.ts";
import {
  type DeviceTensor,
  ProgramCache,
  resolveShape,
  type Run,
  type Stream,
  type Weights,
} from "../src/graph/mod.ts";
import { ModelSlots } from "../src/model/model_slots.ts";
import { partsOf } from "../src/model/vision_encoder_decoder_model.ts";
import { type Architecture, buildDecode } from "../src/models/mod.ts";

const name = (Deno.args[0] ?? "ffi") as BackendName;
const rounds = Number(Deno.args[1] ?? 9);
const rows = 8;
const past = 30;

/** Milliseconds that passed, and of the processors. */
interface Cost {
  readonly wall: number;
  readonly processors: number;
}

/** The least cost of each kind of work, taken in turn so that whatever else the machine does meets all alike. */
async function inTurn<K extends string>(works: Record<K, () => Promise<unknown>>): Promise<Record<K, Cost>> {
  const keys = Object.keys(works) as K[];
  const least = Object.fromEntries(keys.map((key) => [key, { wall: Infinity, processors: Infinity }]));
  for (let round = 0; round <= rounds; round++) {
    for (const key of keys) {
      const [began, used] = [performance.now(), process.cpuUsage()];
      await works[key]();
      const { user, system } = process.cpuUsage(used);
      const { wall, processors } = least[key];
      // The first round compiles and allocates.
      if (round === 0) continue;
      least[key] = {
        wall: Math.min(wall, performance.now() - began),
        processors: Math.min(processors, (user + system) / 1000),
      };
    }
  }
  return least as Record<K, Cost>;
}

/** Steps of all rows on the same buffers: with one length for all, and with lengths of their own, equal and not. */
async function steps(backend: Backend, architecture: Architecture, weights: Weights): Promise<void> {
  await using programs = new ProgramCache(backend, weights);
  using stream: Stream = backend.stream();
  using stack = new DisposableStack();
  const sizes = {
    batch: rows,
    beams: 1,
    sources: 197,
    capacity: 64,
    steps: 8,
    L: 1,
    T: 1,
    length: 63,
    past: 63,
    at: 7,
  };
  const buffers: Record<string, DeviceTensor> = {};
  const bind = async (ownPositions: boolean): Promise<Run> => {
    const build = () => buildDecode(architecture, { ownPositions });
    const { graph, program } = await programs.get(`decode ${ownPositions}`, {}, build);
    const values = [...graph.inputs, ...graph.states, ...graph.outputs];
    for (const [name, { dataType, shape }] of values) {
      buffers[name] ??= stack.use(backend.allocate(dataType, resolveShape(shape, sizes)));
    }
    return stack.use(program.bind(Object.fromEntries(values.map(([name]) => [name, buffers[name]])), sizes));
  };
  const [one, own] = [await bind(false), await bind(true)];
  const step = (run: Run, sizes: Record<string, number>) => {
    stream.enqueue(run, sizes);
    return stream.read(buffers.logits, { shape: [1] });
  };
  const ownStep = (pastOf: (row: number) => number) => () => {
    stream.write(buffers.past, BigInt64Array.from({ length: rows }, (_, row) => BigInt(pastOf(row))));
    return step(own, { length: past + 1, at: 0 });
  };
  const found = await inTurn({
    one: () => step(one, { past }),
    equal: ownStep(() => past),
    apart: ownStep((row) => Math.round(past * row / (rows - 1))),
  });
  line("step_8_rows_one_length", found.one);
  line("step_8_rows_own_lengths_equal", found.equal, found.one);
  line("step_8_rows_own_lengths_apart", found.apart, found.one);
}

const picture = new Tensor("float32", [1, 3, 224, 224], new Float32Array(3 * 224 * 224).map((_, i) => Math.sin(i)));

/** Encodings into a slot: alone, beside 7 rows that wait, and in parts. */
async function encodings(model: VisionEncoderDecoderModel): Promise<void> {
  const open = (encodeParts: number) => ModelSlots.open(model, { slots: rows, maxLength: 60, encodeParts });
  using alone = await open(1);
  using beside = await open(1);
  using inParts = await open(4);
  for (let row = 0; row < rows - 1; row++) beside.admit(beside.encode(picture), { maxNewTokens: 50 });
  await beside.step();
  const encode = (slots: ModelSlots) => async () => {
    const encoding = slots.encode(picture);
    while (encoding.advance());
    await slots.session.settled();
    slots.release(encoding);
  };
  const found = await inTurn({ alone: encode(alone), beside: encode(beside), parts: encode(inParts) });
  line("encode_alone", found.alone);
  line("encode_beside_7_rows", found.beside, found.alone);
  line("encode_in_4_parts", found.parts, found.alone);
}

function line(name: string, cost: Cost, peer?: Cost): void {
  const cell = (of: keyof Cost) =>
    `${of} ${cost[of].toFixed(1).padStart(8)} ms${peer ? ` ${(cost[of] / peer[of]).toFixed(3)} x` : " ".repeat(8)}`;
  console.log(`${name.padEnd(32)}${cell("wall")}   ${cell("processors")}`);
}

/** Write the captioner's files. */
async function writeCaptioner(folder: string): Promise<void> {
  const config = VisionEncoderDecoderConfig.fromEncoderDecoderConfigs(
    defaultConfig("vit"),
    defaultConfig("gpt2", { bos_token_id: 0, eos_token_id: null }),
    { decoder_start_token_id: 0, pad_token_id: 0 },
  );
  await using model = await VisionEncoderDecoderModel.fromConfig(config, { backend: "reference", seed: 1 });
  await model.savePretrained(folder);
}

const given: string | undefined = Deno.args[2];
const folder = given ?? await Deno.makeTempDir();
try {
  if (!given) await writeCaptioner(folder);
  const threads = Deno.args[3] ? Number(Deno.args[3]) : undefined;
  await using backend = await loadBackend(name, { threads, spinning: false });
  console.log(`${backend.name}: ${backend.device}; ViT-B/16 and GPT-2, ${rounds} rounds`);
  await using model = await VisionEncoderDecoderModel.fromPretrained(folder, { backend });
  const { architecture, weights } = partsOf(model);
  const part = Deno.args[4];
  if (part !== "encodings") await steps(backend, architecture, weights);
  if (part !== "steps") await encodings(model);
} finally {
  if (!given) await Deno.remove(folder, { recursive: true });
}
