// Rows that began apart, with options of their own, share a run: each is as it is alone, and touches no other slot.
import { assert, assertEquals, assertThrows } from "@std/assert";
import {
  type BackendName,
  type GenerateOptions,
  loadBackend,
  type LoadOptions,
  Tensor,
  VisionEncoderDecoderModel,
} from "../../mod.ts";
import type { SlotText } from "../../src/generation/mod.ts";
import { LimnerError, OptionError, ShapeError } from "../../src/errors/mod.ts";
import { ModelSlots } from "../../src/model/model_slots.ts";
import { testedBackends } from "../backends/tested_backends.ts";
import { relativeError } from "../conformance/closeness.ts";
import { numbers } from "../conformance/repeatable_numbers.ts";

const models = new URL("../fixtures/models/", import.meta.url);
const load = (name: string, backend: BackendName, options: LoadOptions = {}) =>
  VisionEncoderDecoderModel.fromPretrained(new URL(`${name}/`, models), { backend, ...options });

/** A picture of a model's size. */
function picture(model: VisionEncoderDecoderModel, seed: number): Tensor {
  const { image_size: size, num_channels: channels = 3 } = model.config.encoder as Record<string, number | number[]>;
  const [height, width] = [size].flat().length === 2 ? size as number[] : [size, size] as number[];
  return numbers(seed, 1, channels as number, height, width);
}

const asked = { maxNewTokens: 20, eosTokenId: null, forcedEosTokenId: null, decoderStartTokenId: 0, padTokenId: 1 };

/** Rows that differ in all that a slot may have of its own. */
const mixed: readonly GenerateOptions[] = [
  { ...asked, outputConfidences: true },
  { ...asked, doSample: true, seed: 3, temperature: 1.3, topK: 7, firstPicture: 2 },
  { ...asked, repetitionPenalty: 1.5, minNewTokens: 6, noRepeatNgramSize: 2, suppressTokens: [3, 77], eosTokenId: 95 },
  { ...asked, doSample: true, seed: 5, topP: 0.8, decoderInputIds: [[0, 4, 5, 6]], maxNewTokens: 9, firstPicture: 2 },
  { ...asked, doSample: true, seed: 9, topK: 0, beginSuppressTokens: [77], maxNewTokens: 5, outputConfidences: true },
  { ...asked, decoderInputIds: [[0, 9, 8]], noRepeatNgramSize: 3, forcedEosTokenId: 2, maxNewTokens: 11 },
  { ...asked, repetitionPenalty: 0.7, stoppingCriteria: [(tokens) => tokens.length > 7] },
  { ...asked, badWordsIds: [[77], [399, 95]], maxNewTokens: 13 },
];

/** Beams that programs find candidates for, and such that need rows of scores, beside rows of their own. */
const withBeams: readonly GenerateOptions[] = [
  { ...asked, numBeams: 2, outputConfidences: true },
  { ...asked, maxNewTokens: 30 },
  { ...asked, numBeams: 2, decoderInputIds: [[0, 4, 5, 6]], repetitionPenalty: 1.5, eosTokenId: 95, maxNewTokens: 12 },
  { ...asked, numBeams: 4, doSample: true, seed: 4, topK: 9, temperature: 1.2, firstPicture: 2 },
  { ...asked, doSample: true, seed: 3, noRepeatNgramSize: 0, topK: 7 },
  {
    ...asked,
    numBeams: 4,
    eosTokenId: 77,
    noRepeatNgramSize: 2,
    minNewTokens: 3,
    lengthPenalty: 2,
    earlyStopping: true,
  },
  { ...asked, numBeams: 2, badWordsIds: [[77], [399, 95]], stoppingCriteria: [(tokens) => tokens.length > 9] },
  { ...asked, numBeams: 3, numReturnSequences: 2, forcedEosTokenId: 2, maxNewTokens: 11, suppressTokens: [3, 77] },
];

/** A text with what its session said of its steps. */
type Ridden = SlotText & { readonly margins: number[] };

/** Let texts of all options pass through slots; a picture gets on as soon as its slots are free, every other step. */
async function ride(slots: ModelSlots, pictures: readonly Tensor[], options: readonly GenerateOptions[]) {
  const texts: Ridden[] = [];
  for (let step = 0; texts.length < options.length || slots.texts.length > 0; step++) {
    const n = texts.length;
    if (n < options.length && slots.free >= (options[n].numBeams ?? 1) && step % 2 === 0) {
      const encoding = slots.encode(pictures[n], options[n].numBeams ?? 1);
      texts.push(Object.assign(slots.admit(encoding, options[n]), { margins: [] }));
    }
    for (const { text, margins } of await slots.step({ steps: step % 3 ? undefined : 1 })) {
      (text as Ridden).margins.push(...margins!);
    }
  }
  return texts;
}

/** Check a text against the one alone. Where the session said that two scores are within 1e-4 it may differ, and is said to. */
async function assertAlone(model: VisionEncoderDecoderModel, x: Tensor, options: GenerateOptions, text: Ridden) {
  const alone = await model.generate(x, options);
  const { sequences, promptLengths: [prompt], confidences } = text.output;
  if (JSON.stringify(sequences) === JSON.stringify(alone.sequences)) {
    const off = confidences?.flat().map((value, i) => Math.abs(value - alone.confidences!.flat()[i])) ?? [0];
    assert(Math.max(...off) < 1e-4, `confidences are off by ${off}`);
    const { sequencesScores: [...scores] = [] } = alone;
    text.output.sequencesScores?.forEach((score, i) => assert(Math.abs(score - scores[i]) < 1e-4, `scores ${scores}`));
    return;
  }
  const [found, expected] = [sequences[0], alone.sequences[0]];
  const at = expected.findIndex((token, i) => token !== found[i]);
  const margin = options.numBeams ? Math.min(...text.margins) : text.margins[at - prompt];
  const flag = `token ${at} is ${found[at]}, alone ${expected[at]}: two scores that decide it are ${margin} apart`;
  assert(margin < 1e-4, flag);
  console.log(`a text differs, as it may: ${flag}`);
}

for (const backend of testedBackends) {
  Deno.test(`rows that join and leave slots on ${backend} are each as alone`, async () => {
    await using model = await load("vit_gpt2_captioning", backend);
    const pictures = mixed.map((_, i) => picture(model, i));
    using slots = await ModelSlots.open(model, { slots: 4, maxLength: 30, encodeParts: 2, margins: true });
    const rows = await ride(slots, pictures, mixed);
    assertEquals(slots.free, 4);
    assert(new Set(rows.map(({ slots: [slot] }) => slot)).size > 1);
    for (const [i, row] of rows.entries()) {
      assertEquals(row.margins.length, row.output.lengths[0] - row.output.promptLengths[0]);
      await assertAlone(model, pictures[i], mixed[i], row);
    }
  });

  Deno.test(`beams in slots on ${backend} are each picture's as alone, beside rows`, async () => {
    await using model = await load("vit_gpt2_captioning", backend);
    const pictures = withBeams.map((_, i) => picture(model, i));
    using slots = await ModelSlots.open(model, { slots: 6, maxLength: 40, encodeParts: 2, margins: true });
    const texts = await ride(slots, pictures, withBeams);
    assertEquals(slots.free, 6);
    assertEquals(texts.map(({ slots }) => slots.length), withBeams.map(({ numBeams = 1 }) => numBeams));
    for (const [i, text] of texts.entries()) await assertAlone(model, pictures[i], withBeams[i], text);
    // All slots of a picture are free at once, and what a step under way decides for its beams counts for nothing.
    const stop = new AbortController();
    slots.admit(slots.encode(pictures[0], 3), { ...asked, numBeams: 3, signal: stop.signal });
    const stays = slots.admit(slots.encode(pictures[1], 2), { ...asked, numBeams: 2 });
    assertThrows(() => slots.encode(pictures[0], 3), LimnerError, "all but 1 of 6 slots are in use, and it takes 3");
    await slots.step();
    const step = slots.step();
    stop.abort();
    assertEquals((await step).map(({ text }) => text), [stays]);
    assertEquals(slots.free, 4);
  });

  Deno.test(`a picture that comes into a slot on ${backend} touches no other`, async () => {
    await using model = await load("vit_gpt2_captioning", backend);
    using slots = await ModelSlots.open(model, { slots: 3, maxLength: 40 });
    const admit = (seed: number, options: GenerateOptions = {}) =>
      slots.admit(slots.encode(picture(model, seed)), { ...asked, ...options });
    const [first, second] = [admit(1), admit(2, { decoderInputIds: [[0, 5, 6, 7]] })];
    await slots.step();
    const before = await Promise.all([0, 1, 2].map((slot) => slots.session.readSlot(slot)));
    assertEquals([first.slots, second.slots], [[0], [1]]);
    const third = slots.encode(picture(model, 3));
    while (third.advance());
    slots.admit(third, { ...asked, decoderInputIds: [[0, 9, 8, 7, 6]] });
    for (const slot of [0, 1]) assertEquals(await slots.session.readSlot(slot), before[slot], `slot ${slot}`);
    const after = await slots.session.readSlot(2);
    for (const [name, data] of after) {
      assert(data.some((value: number | bigint, i: number) => value !== before[2].get(name)![i]), `${name} is new`);
    }
    // Nor does a step touch a picture that is encoded and not admitted, or what an earlier row has of the encoder.
    slots.release(first);
    const encoding = slots.encode(picture(model, 4));
    while (encoding.advance());
    const cross = async () => [...await slots.session.readSlot(0)].filter(([name]) => name.startsWith("cross."));
    const encoded = await cross();
    await slots.step();
    assertEquals(await cross(), encoded);
  });

  Deno.test(`a slot on ${backend} is free within a step when its row is released or aborted`, async () => {
    await using model = await load("vit_gpt2_captioning", backend);
    using slots = await ModelSlots.open(model, { slots: 2, maxLength: 40 });
    const stop = new AbortController();
    const alone = slots.admit(slots.encode(picture(model, 1)), { ...asked, maxNewTokens: 1 });
    const { bytesRead } = model.backend.counters;
    assertEquals((await slots.step({ steps: 1 })).map(({ text, done }) => [text, done]), [[alone, true]]);
    // What a step costs depends on the slots in use: a row of 64 tokens was read, not two.
    assertEquals(model.backend.counters.bytesRead - bytesRead, 64 * (backend === "webgpu" ? 4 : 8));
    const stays = slots.admit(slots.encode(picture(model, 1)), asked);
    const stopped = slots.admit(slots.encode(picture(model, 2)), { ...asked, signal: stop.signal });
    assertThrows(() => slots.encode(picture(model, 3)), LimnerError, "all 2 slots are in use");
    const step = slots.step({ steps: 1 });
    stop.abort();
    assertEquals((await step).map(({ text }) => text), [stays]);
    assertEquals([stopped.released, slots.free], [true, 1]);
    // The row that takes its place is as alone, though the step was under way when it came.
    const under = slots.step({ steps: 1 });
    const next = slots.admit(slots.encode(picture(model, 4)), mixed[2]);
    slots.release(stays);
    await under;
    while (slots.texts.length > 0) await slots.step();
    const { sequences } = await model.generate(picture(model, 4), mixed[2]);
    assertEquals(next.output.sequences, sequences);
    assertEquals(slots.free, 2);
    assertEquals(await slots.step(), []);
  });
}

for (const backend of testedBackends.filter((name) => name !== "reference")) {
  Deno.test(`rows in slots on ${backend} have the logits that they have alone`, async () => {
    const seen: Record<string, Float32Array[]> = { slots: [], alone: [] };
    const options = (into: Float32Array[]): GenerateOptions => ({
      ...asked,
      logitsProcessors: [(_, scores) => void into.push(scores.slice())],
    });
    await using model = await load("vit_gpt2_captioning", backend);
    using slots = await ModelSlots.open(model, { slots: 3, maxLength: 30 });
    for (const i of [0, 1]) {
      slots.admit(slots.encode(picture(model, i)), mixed[i]);
      await slots.step({ steps: 3 });
    }
    const row = slots.admit(slots.encode(picture(model, 2)), options(seen.slots));
    while (!row.released) await slots.step();
    await using reference = await load("vit_gpt2_captioning", "reference");
    await reference.generate(picture(model, 2), options(seen.alone));
    assertEquals(seen.slots.length, 20);
    for (const [i, scores] of seen.alone.entries()) {
      const [found, expected] = [seen.slots[i], scores].map((data) => new Tensor("float32", [data.length], data));
      assert(relativeError(found, expected) < 2e-4, `step ${i}: ${relativeError(found, expected)}`);
    }
  });
}

// Positions that do not count pads, tables with an offset, pre- and post-norm, heads of widths that ONNX Runtime's own
// operator does not take.
const families = [
  "vit_roberta",
  "vit_trocr_sinusoidal",
  "vit_bart",
  "vit_electra",
  "donut_swin_mbart",
  "vit_distilbert",
];
for (const backend of testedBackends.filter((name) => name !== "webgpu")) {
  for (const name of families) {
    Deno.test(`rows of ${name} in slots on ${backend} are each as alone`, async () => {
      await using model = await load(name, backend);
      using slots = await ModelSlots.open(model, { slots: 3, maxLength: 14, encodeParts: 3, margins: true });
      const prompt = { decoderInputIds: [[2, 6, 5]] };
      const options: GenerateOptions[] = [{}, prompt, { numBeams: 2, ...prompt }, { repetitionPenalty: 1.7 }].map((
        own,
      ) => (
        { maxNewTokens: 8, eosTokenId: null, forcedEosTokenId: null, decoderStartTokenId: 2, padTokenId: 1, ...own }
      ));
      const pictures = options.map((_, i) => picture(model, i));
      const rows = await ride(slots, pictures, options);
      for (const [i, row] of rows.entries()) await assertAlone(model, pictures[i], options[i], row);
    });
  }
}

// ONNX Runtime sums a product's terms in other pieces where it has a packed copy of the weights, which one program may have: here
// none has, so that all read the file's.
for (const backend of testedBackends) {
  Deno.test(`an encoding in parts on ${backend} has the same states, to the last digit`, async () => {
    const inParts = [
      "vit_gpt2_captioning",
      "beit_trocr",
      "clip_bert",
      "dinov2_bert",
      "swin_bert_pad_ape",
      "swinv2_bert",
    ];
    for (const name of backend === "ffi" ? inParts : ["vit_bert"]) {
      await using model = await load(name, backend, { lowMemory: true });
      const found: unknown[] = [];
      for (const encodeParts of [4, 2, 1]) {
        using slots = await ModelSlots.open(model, { slots: 2, maxLength: 8, encodeParts });
        const encoding = slots.encode(picture(model, 5));
        assertEquals(encoding.partsLeft, encodeParts);
        for (let left = encodeParts - 1; left >= 0; left--) {
          assertEquals(encoding.advance(), left > 0);
          assertEquals(encoding.partsLeft, left);
        }
        assertEquals(encoding.advance(), false);
        found.push([...await slots.session.readSlot(0)].filter(([name]) => name.startsWith("cross.")));
      }
      assertEquals(found[0], found[2], `${name} in 4 parts`);
      assertEquals(found[1], found[2], `${name} in 2 parts`);
    }
  });
}

Deno.test("a text in a slot that cannot go on fails alone", async () => {
  await using model = await load("vit_gpt2_captioning", "reference");
  using slots = await ModelSlots.open(model, { slots: 4, maxLength: 30 });
  const forbidAll = (tokens: readonly number[], scores: Float32Array) => {
    if (tokens.length > 3) scores.fill(-Infinity);
  };
  const drawn: GenerateOptions = { ...asked, doSample: true, seed: 1, logitsProcessors: [forbidAll] };
  const texts = [asked, drawn, { ...drawn, numBeams: 2 }].map((options: GenerateOptions) =>
    slots.admit(slots.encode(picture(model, 1), options.numBeams ?? 1), options)
  );
  const errors = new Map<SlotText, unknown>();
  while (slots.texts.length > 0) {
    for (const { text, error, done } of await slots.step({ steps: 1 })) if (error && done) errors.set(text, error);
  }
  assertEquals([...errors.keys()], texts.slice(1));
  for (const error of errors.values()) {
    assert(error instanceof OptionError && error.message.includes("every one is forbidden"), `${error}`);
  }
  assertEquals(slots.free, 4);
  const { sequences } = await model.generate(picture(model, 1), asked);
  assertEquals(texts[0].output.sequences, sequences);
});

Deno.test("slots refuse what they do not have, and say why", async () => {
  await using backend = await loadBackend("reference");
  await using model = await VisionEncoderDecoderModel.fromPretrained(new URL("vit_gpt2_captioning/", models), {
    backend,
  });
  const handles = backend.counters.liveHandles;
  const refuses = async (options: Parameters<typeof ModelSlots.open>[1], message: string) => {
    const error = await ModelSlots.open(model, options).then(() => undefined, (error) => error);
    assert(error instanceof LimnerError && error.message.includes(message), `${error}`);
  };
  await refuses({ slots: 0, maxLength: 8 }, "slots = 0: expected a whole number from 1 on");
  await refuses({ slots: 1, maxLength: 1e6 }, "Cannot open slots of 1000000 tokens (maxLength): the decoder has room");
  await refuses({ slots: 1e9, maxLength: 8 }, "1000000000 slots (slots) of up to 8 tokens (maxLength) would take");
  await refuses({ slots: 1, maxLength: 8, encodeParts: 1000 }, "Cannot cut encode into 1000 parts");
  {
    using slots = await ModelSlots.open(model, { slots: 2, maxLength: 8, encodeParts: 2 });
    assertThrows(() => slots.encode(numbers(1, 1, 3, 4, 4)), ShapeError, "expected float32 [1,3,32,32]");
    const encoding = slots.encode(picture(model, 1));
    encoding.advance();
    assertThrows(() => slots.encode(picture(model, 2)), LimnerError, "the one before is not encoded to its end");
    for (
      const [options, message] of [
        [{ numBeams: 2 }, "numBeams is 2, but its picture has 1, and each holds one row"],
        [{ maxNewTokens: 20 }, "it may have 21 tokens, but slots have room for 8"],
        [{ outputScores: true }, "outputScores is set"],
        [{ streamer: { put() {}, end() {} } }, "streamer is set"],
        [{ interpolatePosEncoding: true }, "interpolatePosEncoding is true, unlike the session's"],
      ] as const
    ) assertThrows(() => slots.admit(encoding, { ...asked, maxNewTokens: 4, ...options }), OptionError, message);
    const row = slots.admit(encoding, { ...asked, maxNewTokens: 4 });
    assertThrows(() => slots.admit(encoding, asked), LimnerError, "it is in no slot of the session");
    while (!row.released) await slots.step();
    const { sequences } = await model.generate(picture(model, 1), { ...asked, maxNewTokens: 4 });
    assertEquals(row.output.sequences, sequences);
  }
  // What slots took is given back, but for the programs that the model keeps; those that generate() uses are its own.
  assert(backend.counters.liveHandles - handles < 60, `${backend.counters.liveHandles - handles}`);
  await using roberta = await load("vit_roberta", "reference");
  using others = await ModelSlots.open(roberta, { slots: 1, maxLength: 8 });
  const prompted = { ...asked, maxNewTokens: 4, decoderInputIds: [[2, 1, 5]] };
  const message = "its prompt holds the token 1, which the decoder's positions do not count";
  assertThrows(() => others.admit(others.encode(picture(roberta, 1)), prompted), OptionError, message);
  using slots = await ModelSlots.open(model, { slots: 1, maxLength: 8 });
  slots[Symbol.dispose]();
  assertThrows(() => slots.encode(picture(model, 1)), LimnerError, "the session was released");
});
