// Rows of generation at full size: what Limner, PyTorch and transformers.js take for the same weights, in turns.
import { loadBackend, VisionEncoderDecoderModel } from "../../mod.ts";
import { GraphBuilder } from "../../src/graph/mod.ts";
import { architectureOf, buildDecode } from "../../src/models/mod.ts";
import { matmul } from "../../src/operators/mod.ts";
import { sizeOf } from "../../src/tensor/mod.ts";
import { type Engine, exported, limner, type Programs, pytorch, transformersJs } from "./engines.ts";
import { writeModels } from "./full_size.ts";
import { readBandwidth } from "./limits.ts";
import type { Measured } from "./processes.ts";
import { type Row, row } from "./rows.ts";

/** What is measured of a process: milliseconds, and bytes. The least of all rounds counts, of memory the most. */
type Figures = Readonly<
  Record<"first" | "load" | "encode" | "token" | "caption" | "oneToken" | "beams" | "batch" | "peak", number>
>;

function figuresOf({ first, peak, lines }: Measured): Figures {
  return { ...Object.assign({}, ...lines), first, peak };
}

function better(a: Figures | undefined, b: Figures): Figures {
  if (!a) return b;
  const entries = Object.entries(b).map(([key, value]) => {
    const other = a[key as keyof Figures];
    return [key, key === "peak" ? Math.max(other, value) : Math.min(other, value)];
  });
  return Object.fromEntries(entries) as Figures;
}

/** How a generation bench is run. */
export interface Request {
  readonly folder: string;
  readonly programs: Programs;
  readonly rounds: number;
  /** How many pictures' ids are compared. */
  readonly pictures: number;
}

/** Run cases in turns. */
async function inTurns<K extends string>(
  cases: Readonly<Record<K, () => Promise<Measured>>>,
  rounds: number,
): Promise<Record<K, Figures>> {
  const found: Partial<Record<K, Figures>> = {};
  for (let round = 0; round < rounds; round++) {
    for (const [name, run] of Object.entries<() => Promise<Measured>>(cases)) {
      found[name as K] = better(found[name as K], figuresOf(await run()));
      console.error(`${name}, round ${round + 1} of ${rounds}`);
    }
  }
  return found as Record<K, Figures>;
}

/** The bytes of float32 that a token reads: all parameters of a step but tables of which it reads a row. */
function bytesOfToken(model: VisionEncoderDecoderModel): number {
  const graph = buildDecode(architectureOf(model.config));
  const isRead = (name: string) =>
    graph.nodes.some(({ operator, inputs }) =>
      operator.name !== "gather" && inputs.includes(graph.parameters.get(name)!)
    );
  const names = [...graph.parameters.keys()].filter(isRead);
  return 4 * names.reduce((sum, name) => sum + sizeOf(graph.parameters.get(name)!.shape as number[]), 0);
}

/** Floating-point operations of a ViT's encoder. */
function encoderOperations({ config: { encoder } }: VisionEncoderDecoderModel): number {
  const of = (key: string) => encoder[key] as number;
  const [C, inner, patch] = [of("hidden_size"), of("intermediate_size"), of("patch_size")];
  const S = (of("image_size") / patch) ** 2 + 1;
  const layer = 2 * S * (4 * C * C + 2 * C * inner) + 4 * S * S * C;
  return of("num_hidden_layers") * layer + 2 * S * C * 3 * patch * patch;
}

/** What a large product reaches, in operations a millisecond: the processor's peak as far as ONNX Runtime's kernels go. */
async function productRate(): Promise<number> {
  const size = 2048;
  await using backend = await loadBackend("ffi");
  const builder = new GraphBuilder("product");
  builder.output("y", matmul(builder.input("a", "float32", [size, size]), builder.input("b", "float32", [size, size])));
  using weights = await backend.open(new Map());
  using program = await backend.compile(builder.build(), weights);
  const [a, b, y] = ["a", "b", "y"].map(() => backend.allocate("float32", [size, size]));
  using run = program.bind({ a, b, y });
  using stream = backend.stream();
  // Memory that was never written is one page of zeros, again and again, which processors read at another speed.
  for (const operand of [a, b]) stream.write(operand, new Float32Array(size * size).fill(1 / 3));
  let least = Infinity;
  for (let i = 0; i < 6; i++) {
    const began = performance.now();
    stream.enqueue(run);
    await stream.read(y, { shape: [1] });
    least = Math.min(least, performance.now() - began);
  }
  for (const tensor of [a, b, y]) tensor[Symbol.dispose]();
  return 2 * size ** 3 / least;
}

/** Whether the processor has products of 8-bit integers, on Linux. */
function hasInt8Products(): boolean {
  return /vnni|i8mm/.test(Deno.readTextFileSync("/proc/cpuinfo"));
}

const withoutInt8 = "a processor without VNNI";

/** The rows of ViT-B/16 with GPT-2. */
export async function vitGpt2Rows({ folder, programs, rounds }: Request): Promise<Row[]> {
  const name = "vit_gpt2";
  await writeModels(name, folder);
  const path = (form: string) => `${folder}/${name}_${form}`;
  const [peer, torch, js] = [
    await exported(programs, folder, name),
    pytorch(programs),
    await transformersJs(programs, folder),
  ];
  let bandwidth = 0;
  const found = await inTurns({
    // Beside what is held against it: other machines on the same hardware make it vary.
    float32: async () => {
      bandwidth = Math.max(bandwidth, await readBandwidth());
      return await limner(path("float32"));
    },
    q8: () => limner(path("q8")),
    q4: () => limner(path("q4")),
    texts: () => limner(path("float32"), { only: "texts" }),
    packed: () => limner(path("float32"), { lowMemory: false, only: "load" }),
    q8Text: () => limner(path("q8"), { only: "text" }),
    low: () => limner(path("float32"), { lowMemory: true, only: "text" }),
    quantising: () => limner(path("float32"), { dtype: "q8", only: "load" }),
    torch: () => torch(path("float32")),
    js: () => js(peer, { dtype: "fp32" }),
    jsQ8: () => js(peer, { dtype: "q8" }),
  }, rounds);
  await using model = await VisionEncoderDecoderModel.fromPretrained(path("float32"), { backend: "reference" });
  const weights = 4 * [...model.namedParameters().values()].reduce((sum, { shape }) => sum + sizeOf(shape), 0);
  const least = bytesOfToken(model) / bandwidth / 1e6;
  const encoder = encoderOperations(model) / found.float32.encode;
  return rowsOfVitGpt2(found, { weights, least, encoder: encoder / await productRate() });
}

type VitGpt2Cases =
  | "float32"
  | "q8"
  | "q4"
  | "texts"
  | "packed"
  | "q8Text"
  | "low"
  | "quantising"
  | "torch"
  | "js"
  | "jsQ8";

function rowsOfVitGpt2(
  { float32, q8, q4, texts, packed, q8Text, low, quantising, torch, js, jsQ8 }: Readonly<Record<VitGpt2Cases, Figures>>,
  { weights, least, encoder }: { weights: number; least: number; encoder: number },
): Row[] {
  const int8 = hasInt8Products();
  const note = int8 ? undefined : withoutInt8;
  return [
    row("a token", "x reading its weights", float32.token / least, "<= 1.15"),
    row("a token", "x PyTorch", float32.token / torch.token, "<= 0.65"),
    row("a token", "x transformers.js", float32.token / js.token, "<= 0.5"),
    row("a token, q8", "x float32", q8.token / float32.token, int8 ? "<= 0.42" : "<= 0.6", note),
    row("a token, q4", "x float32", q4.token / float32.token, int8 ? "<= 0.36" : "<= 0.6", note),
    row("a step with 4 beams", "x greedy", float32.beams / float32.token, "<= 1.3"),
    row("encoder", "of a 2048-cubed product's rate", encoder, ">= 0.7"),
    row("encoder", "x PyTorch", float32.encode / torch.encode, "<= 0.9"),
    row("encoder, q8", "x float32", q8.encode / float32.encode, int8 ? "<= 0.5" : undefined, note),
    row("caption of 16 tokens", "x PyTorch", float32.caption / torch.caption, "<= 0.6"),
    row("caption of 16 tokens", "x transformers.js", float32.caption / js.caption, "<= 0.55"),
    row("caption of 16 tokens, q8", "x transformers.js q8", q8.caption / jsQ8.caption, "<= 0.5"),
    row("8 pictures, in a second", "x PyTorch", torch.batch / float32.batch, ">= 1.3"),
    row("8 pictures, in a second", "x transformers.js", js.batch / float32.batch, ">= 2.5"),
    row("start to first text", "x PyTorch", float32.first / torch.first, "<= 0.25"),
    row("start to first text", "x transformers.js", float32.first / js.first, "<= 0.27"),
    row("start to first text, lowMemory", "x PyTorch", low.first / torch.first, "<= 0.2"),
    // A load of float32 that packs its weights, as those of q8 do, and not the one that leaves it to a second text.
    row("load, quantising to q8", "x float32, packing", quantising.load / packed.load, "<= 2"),
    row("load of a saved q8", "x float32, packing", q8.load / packed.load, "<= 0.5"),
    row("load of a saved q8", "x float32", q8.load / float32.load),
    row("memory, float32", "x weights", texts.peak / weights, "<= 1.15"),
    row("memory, saved q8", "x float32 weights", q8Text.peak / weights, "<= 0.4"),
    row("memory, lowMemory", "MB", low.peak / 1e6, "<= 100"),
  ];
}

/** How many texts of ids are the same. */
function same(a: Measured, b: Measured): number {
  const [one, other] = [a, b].map(({ lines }) => (lines.at(-1) as unknown as { ids: number[][] }).ids);
  return one.filter((ids, i) => ids.join() === other[i].join()).length;
}

/** The rows of TrOCR-base. */
export async function trocrRows({ folder, programs, rounds, pictures }: Request): Promise<Row[]> {
  const name = "trocr";
  await writeModels(name, folder);
  const path = (form: string) => `${folder}/${name}_${form}`;
  const peer = await exported(programs, folder, name);
  const js: Engine = await transformersJs(programs, folder);
  const found = await inTurns({
    float32: () => limner(path("float32"), { only: "one" }),
    q8: () => limner(path("q8"), { only: "one" }),
    q8Text: () => limner(path("q8"), { only: "text", lowMemory: true }),
    js: () => js(peer, { dtype: "fp32", only: "one" }),
    jsQ8: () => js(peer, { dtype: "q8", only: "one" }),
  }, rounds);
  const { float32, q8 } = found;
  const rows = [
    row("TrOCR-base: encoder", "x transformers.js", float32.encode / found.js.encode, "<= 1", "with the cross keys"),
    // What both do: theirs makes the cross keys with the first token.
    row("TrOCR-base: encoder and first token", "x transformers.js", float32.oneToken / found.js.oneToken),
    row("TrOCR-base: caption of 16 tokens", "x transformers.js", float32.caption / found.js.caption, "<= 0.85"),
    row("TrOCR-base, q8: caption of 16 tokens", "x transformers.js q8", q8.caption / found.jsQ8.caption, "<= 0.9"),
    row("TrOCR-base, saved q8, lowMemory: memory", "MB", found.q8Text.peak / 1e6, "<= 512", "RssAnon"),
  ];
  if (pictures === 0) return rows;
  const ids = async (engine: Engine, model: string, options = {}) => await engine(model, { ...options, pictures });
  const kept = same(await ids(limner, path("float32")), await ids(limner, path("q8")));
  const theirs = same(await ids(js, peer, { dtype: "fp32" }), await ids(js, peer, { dtype: "q8" }));
  const of = `of ${pictures} texts as float32's`;
  return [
    ...rows,
    row("TrOCR-base, q8: ids kept", of, kept, `>= ${theirs}`, `transformers.js q8: ${theirs}`),
  ];
}
