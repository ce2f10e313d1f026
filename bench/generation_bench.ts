// What the methods of generation cost beside greedy search: `deno run -A bench/generation_bench.ts [BACKEND] [WIDTH LAYERS ROUNDS]`.
// Random weights, so that no text ends early; GPT-2's vocabulary and by default its size. Figures to reach: a step of 4
// beams at most 1.25 times a greedy step of 4 rows; with a repetition penalty, TypeScript's share of it below 5 %; a step
// that gives confidences too at most 1.03 times one that does not.
import {
  type Backend,
  type BackendName,
  defaultConfig,
  type GenerateOptions,
  loadBackend,
  Tensor,
  VisionEncoderDecoderConfig,
  VisionEncoderDecoderModel,
} from "../mod.ts";
import { timed } from "./timed_backend.ts";

const name = (Deno.args[0] ?? "ffi") as BackendName;
const [width, layers] = [Number(Deno.args[1] ?? 768), Number(Deno.args[2] ?? 12)];
const rounds = Number(Deno.args[3] ?? 5);
const newTokens = 24;

const vit = { hidden_size: 384, num_hidden_layers: 1, num_attention_heads: 6, intermediate_size: 1536 };
const gpt2 = { n_embd: width, n_layer: layers, n_head: width / 64, bos_token_id: 0, eos_token_id: null };
const config = VisionEncoderDecoderConfig.fromEncoderDecoderConfigs(
  defaultConfig("vit", vit),
  defaultConfig("gpt2", gpt2),
  { decoder_start_token_id: 0, pad_token_id: 0 },
);
await using real: Backend = await loadBackend(name);
const { backend, inside } = timed(real);
// From a file, as models usually come: ffi then packs the weights.
const folder = await Deno.makeTempDir();
{
  await using made = await VisionEncoderDecoderModel.fromConfig(config, { backend: "reference", seed: 1 });
  await made.savePretrained(folder);
}
await using model = await VisionEncoderDecoderModel.fromPretrained(folder, { backend });
await Deno.remove(folder, { recursive: true });

const pictures = (batch: number) =>
  new Tensor("float32", [batch, 3, 224, 224], new Float32Array(batch * 3 * 224 * 224).map((_, i) => Math.sin(i)));

/** One way to generate, and what its fastest generation of several took. */
interface Case {
  readonly name: string;
  readonly batch: number;
  readonly options: GenerateOptions;
  /** The case that it is held against. */
  readonly peer: string;
  /** Milliseconds of decoding a token of each row. */
  step: number;
  /** The part of them that is not the backend's. */
  share: number;
}

const cases = new Map<string, Case>();
const add = (name: string, batch: number, options: GenerateOptions = {}, peer = "greedy_b4") =>
  cases.set(name, { name, batch, options, peer, step: Infinity, share: 0 });

add("greedy_b1", 1, {}, "greedy_b1");
add("greedy_b1_confident", 1, { outputConfidences: true }, "greedy_b1");
add("greedy_b4", 4);
add("greedy_b4_confident", 4, { outputConfidences: true });
add("beams4", 1, { numBeams: 4 });
add("beams4_penalty", 1, { numBeams: 4, repetitionPenalty: 1.2 });
add("greedy_b4_penalty", 4, { repetitionPenalty: 1.2 });
add("sample_b4_top50", 4, { doSample: true, seed: 1 });
add("sample_b4_confident", 4, { doSample: true, seed: 1, outputConfidences: true }, "sample_b4_top50");
add("sample_b4_top_p", 4, { doSample: true, seed: 1, topP: 0.9 });
// Rows that go on to the limit, and rows that end one after another, an eighth of the steps apart.
const decoderInputIds = [...Array(8).keys()].map((row) => [0, row + 1]);
const stops = (tokens: readonly number[]) => tokens.length >= 2 + tokens[1] * newTokens / 8;
add("greedy_b8", 8, { decoderInputIds }, "greedy_b8");
add("greedy_b8_ending", 8, { decoderInputIds, stoppingCriteria: [stops] }, "greedy_b8");

// In turn, so that whatever else the machine does meets all alike.
for (let round = 0; round < rounds; round++) {
  for (const entry of cases.values()) {
    const pixelValues = pictures(entry.batch);
    const generate = async () => {
      let decode = 0;
      const onTimings = (timings: { decode: number }) => decode = timings.decode;
      await model.generate(pixelValues, { maxNewTokens: newTokens, ...entry.options, onTimings });
      return { step: decode / newTokens, share: 1 - inside.decode / decode };
    };
    await generate(); // compiles and allocates: the case before had other buffers
    const measured = await generate();
    if (measured.step < entry.step) Object.assign(entry, measured);
  }
}

console.log(`${real.name}: ${real.device}; GPT-2's vocabulary, ${width} wide, ${layers} layers`);
for (const { name, peer, step, share } of cases.values()) {
  const ratio = `${(step / cases.get(peer)!.step).toFixed(3)} x ${peer}`;
  console.log(
    `${name.padEnd(20)} ${step.toFixed(2).padStart(7)} ms a step  ${ratio}  TypeScript ${(100 * share).toFixed(1)} %`,
  );
}
