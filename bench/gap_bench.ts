// How long a stream waits for its next token while 16 other pictures are encoded: `deno run -A bench/gap_bench.ts [BACKEND
// ROUNDS]`, with a captioner of usual size, ViT-B/16 with GPT-2, random. Figure to reach: no gap above the median and 1.2
// times the longest part of an encoding.
import {
  type BackendName,
  defaultConfig,
  Tensor,
  VisionEncoderDecoderConfig,
  VisionEncoderDecoderModel,
} from "../mod.ts";
import { ModelSlots } from "../src/model/model_slots.ts";
import { Metrics } from "../src/serve/metrics.ts";
import { Scheduler } from "../src/serve/scheduler/scheduler.ts";

const backend = (Deno.args[0] ?? "ffi") as BackendName;
const rounds = Number(Deno.args[1] ?? 3);
const others = 16;
const pixelValues = new Tensor("float32", [1, 3, 224, 224], new Float32Array(3 * 224 * 224).map((_, i) => Math.sin(i)));
const median = (values: readonly number[]) => values.toSorted((a, b) => a - b)[values.length >> 1];

const config = VisionEncoderDecoderConfig.fromEncoderDecoderConfigs(
  defaultConfig("vit"),
  defaultConfig("gpt2", { bos_token_id: 0, eos_token_id: null }),
  { decoder_start_token_id: 0, pad_token_id: 0 },
);
await using model = await VisionEncoderDecoderModel.fromConfig(config, { backend, seed: 1, spinning: false });
model.generationConfig.max_length = 64;

/** The least time of each part of an encoding, beside nothing else. */
async function parts(): Promise<number[]> {
  using slots = await ModelSlots.open(model, { slots: 2, maxLength: 64, encodeParts: 4 });
  const least: number[] = [];
  for (let round = 0; round < 4; round++) {
    const encoding = slots.encode(pixelValues);
    for (let part = 0, more = true; more; part++) {
      const began = performance.now();
      more = encoding.advance();
      await slots.session.settled();
      // The first round compiles and allocates.
      if (round > 0) least[part] = Math.min(least[part] ?? Infinity, performance.now() - began);
    }
    slots.release(encoding);
  }
  return least;
}

const times = await parts();
const longest = Math.max(...times);
console.log(
  `${model.backend.name}: ${model.backend.device}; parts of an encoding ${times.map(Math.round).join(", ")} ms`,
);
const scheduler = new Scheduler(model, { slots: others + 1, maxWaiting: 100, encodeParts: 4, metrics: new Metrics() });
const run = (maxNewTokens: number, onTokens?: (tokens: readonly number[]) => void) =>
  scheduler.run({ pixelValues, options: { maxNewTokens }, caller: "", signal: new AbortController().signal, onTokens });
for (let round = 0; round <= rounds; round++) {
  const at: number[] = [];
  let arrived: Promise<unknown> | undefined;
  await run(60, () => {
    at.push(performance.now());
    if (at.length === 2) arrived = Promise.all(Array.from({ length: others }, () => run(30)));
  });
  await arrived;
  const gaps = at.slice(1).map((time, i) => time - at[i]);
  const [most, middle] = [Math.max(...gaps), median(gaps)];
  const share = (most - middle) / longest;
  // The first round binds programs for each number of rows.
  const name = round === 0 ? "first" : `round ${round}`;
  console.log(
    `${name}: median gap ${middle.toFixed(1)} ms, longest ${most.toFixed(1)} ms: median + ${share.toFixed(2)} x the ` +
      `longest part (at most 1.2); ${gaps.map(Math.round).join(" ")}`,
  );
}
await scheduler[Symbol.asyncDispose]();
