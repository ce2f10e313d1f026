// A step of beam search beside a greedy step of as many rows: `deno run -A bench/generation_bench.ts [BACKEND]`. The
// model has random weights, so that no text ends early; the figure to reach is a ratio of 1.25.
import {
  type BackendName,
  defaultConfig,
  Tensor,
  VisionEncoderDecoderConfig,
  VisionEncoderDecoderModel,
} from "../mod.ts";

const backend = (Deno.args[0] ?? "ffi") as BackendName;
const size = { hidden_size: 384, num_hidden_layers: 4, num_attention_heads: 6, intermediate_size: 1536 };
const gpt2 = { n_embd: 384, n_layer: 6, n_head: 6, bos_token_id: 0, eos_token_id: null };
const config = VisionEncoderDecoderConfig.fromEncoderDecoderConfigs(
  defaultConfig("vit", size),
  defaultConfig("gpt2", gpt2),
  { decoder_start_token_id: 0, pad_token_id: 0 },
);
await using model = await VisionEncoderDecoderModel.fromConfig(config, { backend, seed: 1 });
const pictures = (batch: number) =>
  new Tensor("float32", [batch, 3, 224, 224], new Float32Array(batch * 3 * 224 * 224).map((_, i) => Math.sin(i)));

/** Milliseconds a step, the median of several generations of 24 tokens. */
async function step(batch: number, numBeams: number): Promise<number> {
  const times: number[] = [];
  for (let i = 0; i < 6; i++) {
    await model.generate(pictures(batch), {
      numBeams,
      maxNewTokens: 24,
      onTimings: ({ decode }) => times.push(decode / 24),
    });
  }
  return times.slice(1).sort((a, b) => a - b)[2];
}

console.log(`${model.backend.name}: ${model.backend.device}; GPT-2's vocabulary, ${size.hidden_size} wide, 6 layers`);
const [greedy, beams] = [await step(4, 1), await step(1, 4)];
console.log(`greedy_step_b4   ${greedy.toFixed(2)} ms`);
console.log(`beam_step_beams4 ${beams.toFixed(2)} ms, ${(beams / greedy).toFixed(2)} times`);
