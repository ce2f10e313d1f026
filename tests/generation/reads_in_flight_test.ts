import { assert, assertEquals } from "@std/assert";
import { loadWithProfile } from "../../backends/webgpu/mod.ts";
import type { Backend, VisionEncoderDecoderModel } from "../../mod.ts";
import type { Stream } from "../../src/graph/mod.ts";
import type { GenerateOptions } from "../../mod.ts";
import type { ProfileName } from "../../backends/webgpu/mod.ts";
import { ModelSlots } from "../../src/model/model_slots.ts";
import type { SlotText } from "../../src/generation/mod.ts";
import type { Tensor } from "../../src/tensor/mod.ts";
import { numbers } from "../conformance/repeatable_numbers.ts";
import { inputs, quantizedModel } from "../model/quantized_models.ts";

/** A backend that is said to have so many reads under way, of 8 steps each, and what is noted of them. */
function observed(real: Backend, readsInFlight: number): { backend: Backend; most: () => number } {
  let now = 0, most = 0;
  const watch = (stream: Stream): Stream =>
    new Proxy(stream, {
      get(target, name) {
        if (name === "read") {
          return async (...args: Parameters<Stream["read"]>) => {
            most = Math.max(most, ++now);
            try {
              const found = await target.read(...args);
              // As long as Deno's mapAsync sleeps where a read waits for it.
              await new Promise((resolve) => setTimeout(resolve, 10));
              return found;
            } finally {
              now--;
            }
          };
        }
        const value = Reflect.get(target, name, target);
        return typeof value === "function" ? value.bind(target) : value;
      },
    });
  const backend = new Proxy(real, {
    get(target, name) {
      if (name === "readsInFlight") return readsInFlight;
      if (name === "stepsPerRead") return 8;
      if (name === "stream") return (...args: Parameters<Backend["stream"]>) => watch(target.stream(...args));
      const value = Reflect.get(target, name, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
  return { backend, most: () => most };
}

const { pixelValues } = inputs;

Deno.test("steps after those that are read are under way, and change nothing", async () => {
  await using real = await loadWithProfile();
  const generate = async (readsInFlight: number) => {
    const { backend, most } = observed(real, readsInFlight);
    await using model: VisionEncoderDecoderModel = await quantizedModel("gpt2", { backend });
    const outputs = [];
    for (
      const options of [
        { maxNewTokens: 20, eosTokenId: null },
        { maxNewTokens: 20, doSample: true, seed: 3, outputConfidences: true, numReturnSequences: 4 },
        {
          maxNewTokens: 20,
          doSample: true,
          seed: 4,
          temperature: 3,
          numReturnSequences: 6,
          eosTokenId: [1, 2, 3, 5, 8, 13, 21],
        },
        { maxNewTokens: 20, stoppingCriteria: [(tokens: readonly number[]) => tokens.length === 6] },
      ]
    ) {
      const { sequences, confidences } = await model.generate(pixelValues, options);
      outputs.push({ sequences, confidences });
    }
    return { outputs, most: most() };
  };
  const [one, two] = [await generate(1), await generate(2)];
  assertEquals([one.most, two.most], [1, 2]);
  assertEquals(two.outputs, one.outputs);
});

Deno.test("beams that go on by themselves are under way before those before are read, and are the same", async () => {
  await using real = await loadWithProfile();
  const [, ...size] = pixelValues.shape;
  const pictures = numbers(7, 4, ...size);
  const generate = async (readsInFlight: number) => {
    const { backend, most } = observed(real, readsInFlight);
    await using model = await quantizedModel("gpt2", { backend });
    const outputs = [];
    for (
      const options of [
        { numBeams: 4, maxNewTokens: 20, eosTokenId: null, numReturnSequences: 2, outputConfidences: true },
        // Pictures end one after another, and those that go on move together.
        { numBeams: 2, maxNewTokens: 22, eosTokenId: [6, 36, 43], earlyStopping: true, noRepeatNgramSize: 1 },
        { numBeams: 3, maxNewTokens: 18, repetitionPenalty: 1.4, noRepeatNgramSize: 2 },
      ]
    ) outputs.push(await model.generate(pictures, options));
    return { outputs, most: most() };
  };
  const [one, two] = [await generate(1), await generate(2)];
  assertEquals([one.most, two.most], [1, 2]);
  assertEquals(two.outputs, one.outputs);
  assert(new Set(two.outputs[1].lengths).size > 1, "pictures end at different times");
});

const asked = { maxNewTokens: 20, eosTokenId: null, forcedEosTokenId: null };

/** Rows with options of their own, which end at different times. */
const riding: readonly GenerateOptions[] = [
  asked,
  { ...asked, doSample: true, seed: 3, temperature: 1.3, topK: 7, outputConfidences: true },
  {
    ...asked,
    repetitionPenalty: 1.5,
    minNewTokens: 6,
    noRepeatNgramSize: 2,
    suppressTokens: [3, 17],
    maxNewTokens: 22,
  },
  { ...asked, doSample: true, seed: 5, topP: 0.8, maxNewTokens: 9 },
  { ...asked, eosTokenId: [1, 2, 3, 5, 8, 13, 21] },
  { ...asked, stoppingCriteria: [(tokens) => tokens.length > 7] },
  { ...asked, doSample: true, seed: 9, topK: 0, maxNewTokens: 3 },
  { ...asked, numBeams: 2, maxNewTokens: 7 },
];

/** The tokens of a text, those of its prompt included. */
const tokensOf = ({ output: { sequences: [tokens] } }: SlotText): number[] => tokens;

/** Let rows ride in slots, and get on as soon as one is free. @returns Their tokens, and those of a row that is stopped. */
async function ride(backend: Backend, pictures: readonly Tensor[]) {
  await using model = await quantizedModel("gpt2", { backend });
  using slots = await ModelSlots.open(model, { slots: 3, maxLength: 24 });
  const stop = new AbortController();
  const stopped = slots.admit(slots.encode(pictures[0]), { ...asked, signal: stop.signal });
  const rows: SlotText[] = [];
  const given = new Map<unknown, number[]>();
  for (let step = 0; rows.length < riding.length || slots.texts.length > 0; step++) {
    while (rows.length < riding.length && slots.free >= (riding[rows.length].numBeams ?? 1)) {
      const options = riding[rows.length];
      rows.push(slots.admit(slots.encode(pictures[rows.length], options.numBeams ?? 1), options));
    }
    if (step === 2) stop.abort();
    for (const { text, tokens } of await slots.step({ steps: step % 3 ? undefined : 2 })) {
      given.set(text, [...given.get(text) ?? [], ...tokens]);
    }
  }
  assert(stopped.released && tokensOf(stopped).length < 21);
  assertEquals(slots.free, 3);
  // What is told step by step is the text.
  for (const row of rows) assertEquals(tokensOf(row).slice(-given.get(row)!.length), given.get(row));
  return rows.map(tokensOf);
}

Deno.test("rows in slots are the same where steps are under way before those before are read", async () => {
  await using real = await loadWithProfile();
  const [, ...size] = pixelValues.shape;
  const pictures = riding.map((_, i) => numbers(i, 1, ...size));
  const [one, two] = [observed(real, 1), observed(real, 2)];
  const alone = await ride(one.backend, pictures);
  // A row that joins later runs beside others than before, and kernels round by the number of rows.
  assertEquals(await ride(two.backend, pictures), alone);
  // A step with a row of the host's reads scores beside the others' tokens.
  assertEquals([one.most(), two.most()], [2, 3]);
  const { liveHandles } = real.counters;
  await ride(two.backend, pictures);
  assertEquals(real.counters.liveHandles, liveHandles);
});

Deno.test("rows whose tokens the host takes wait for each step", async () => {
  await using real = await loadWithProfile();
  const { backend, most } = observed(real, 2);
  await using model = await quantizedModel("gpt2", { backend });
  const options: GenerateOptions = {
    ...asked,
    maxNewTokens: 6,
    logitsProcessors: [(_, scores) => scores.map((x) => x)],
  };
  const { sequences: [expected] } = await model.generate(pixelValues, options);
  using slots = await ModelSlots.open(model, { slots: 2, maxLength: 24 });
  const [host, device] = [options, { ...asked, maxNewTokens: 6 }].map((own) =>
    slots.admit(slots.encode(pixelValues), own)
  );
  while (slots.texts.length > 0) await slots.step();
  assertEquals([tokensOf(host), tokensOf(device)], [expected, expected]);
  assertEquals(most(), 2); // the scores, and the tokens of the other row
});

for (const [profile, reads] of Object.entries({ "gpu": 2, "gpu-sg": 2, "soft": 1, "soft-nosg": 1 })) {
  Deno.test(`${profile} has ${reads === 1 ? "a read" : "two reads"} under way: a text of 17 tokens takes three`, async () => {
    await using real = await loadWithProfile(profile as ProfileName);
    const { backend, most } = observed(real, real.readsInFlight!);
    await using model = await quantizedModel("gpt2", { backend });
    await model.generate(pixelValues, { maxNewTokens: 2 });
    const waits = async (act: () => Promise<number>) => {
      const before = real.counters.waits;
      return [await act(), real.counters.waits - before];
    };
    const options = { maxNewTokens: 17, eosTokenId: null, forcedEosTokenId: null };
    for (const numBeams of [1, 4]) {
      const generated = async () => (await model.generate(pixelValues, { ...options, numBeams })).sequences[0].length;
      assertEquals(await waits(generated), [18, 3], `${numBeams} beams`);
    }
    using slots = await ModelSlots.open(model, { slots: 2, maxLength: 24 });
    const ridden = async () => {
      const row = slots.admit(slots.encode(pixelValues), options);
      while (!row.released) await slots.step();
      return tokensOf(row).length;
    };
    assertEquals(await waits(ridden), [18, 3], "in slots");
    assertEquals(most(), reads);
  });
}

Deno.test("a streamer is given each token by itself, also where several are read together", async () => {
  await using real = await loadWithProfile();
  const { backend } = observed(real, 2);
  await using model = await quantizedModel("gpt2", { backend });
  const options = { maxNewTokens: 20, eosTokenId: null };
  const { sequences: [expected] } = await model.generate(pixelValues, options);
  const given: number[] = [];
  const streamer = {
    put(tokens: readonly (readonly number[])[]) {
      assertEquals(tokens.map(({ length }) => length), [1]);
      given.push(...tokens[0]);
    },
    end() {},
  };
  const before = real.counters.waits;
  await model.generate(pixelValues, { ...options, streamer });
  assertEquals(given, expected.slice(1));
  assert(real.counters.waits - before <= 20);
});
