// What the methods of generation cost beside greedy search: `deno run -A bench/generation_bench.ts [BACKEND] [WIDTH LAYERS]`.
// Random weights, so that no text ends early; GPT-2's vocabulary and by default its size. Figures to reach: a step of 4
// beams at most 1.25 times a greedy step of 4 rows; with a repetition penalty, TypeScript's share of it below 5 %.
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
await using model = await VisionEncoderDecoderModel.fromConfig(config, { backend, seed: 1 });

const pictures = (batch: number) =>
  new Tensor("float32", [batch, 3, 224, 224], new Float32Array(batch * 3 * 224 * 224).map((_, i) => Math.sin(i)));

const median = (values: number[]): number => values.sort((a, b) => a - b)[values.length >> 1];

/** Milliseconds of decoding a token of each row, and TypeScript's share of them: the medians of several generations. */
async function measure(batch: number, options: GenerateOptions = {}): Promise<{ step: number; share: number }> {
  const steps: number[] = [];
  const shares: number[] = [];
  const pixelValues = pictures(batch);
  for (let i = 0; i < 6; i++) {
    let before = 0;
    let decode = 0;
    await model.generate(pixelValues, {
      maxNewTokens: newTokens,
      ...options,
      // The first read of a generation is that of the encoder's states.
      onTimings: (timings) => decode = timings.decode,
      stoppingCriteria: options.stoppingCriteria,
    });
    before = inside.decode;
    if (i === 0) continue; // compiles and allocates
    steps.push(decode / newTokens);
    shares.push(1 - before / decode);
  }
  return { step: median(steps), share: median(shares) };
}

console.log(`${real.name}: ${real.device}; GPT-2's vocabulary, ${width} wide, ${layers} layers; ms a step`);
const greedy = await measure(4);
const print = (label: string, { step, share }: { step: number; share: number }) =>
  console.log(
    `${label.padEnd(22)} ${step.toFixed(2).padStart(7)}  ${(step / greedy.step).toFixed(2)} x greedy` +
      `  TypeScript ${(100 * share).toFixed(1)} %`,
  );
print("greedy_b4", greedy);
print("beams4", await measure(1, { numBeams: 4 }));
print("beams4_penalty", await measure(1, { numBeams: 4, repetitionPenalty: 1.2 }));
print("greedy_b4_penalty", await measure(4, { repetitionPenalty: 1.2 }));
print("sample_b4_top50", await measure(4, { doSample: true, seed: 1 }));
print("sample_b4_top_p", await measure(4, { doSample: true, seed: 1, topP: 0.9 }));
