// Several calls on one model, and calls that are stopped: each gets its own result, nothing is left behind.
import { assert, assertEquals, assertRejects } from "@std/assert";
import { LimnerError, loadBackend, type Tensor, VisionEncoderDecoderModel } from "../../mod.ts";
import { readTensors } from "../conformance/read_golden.ts";
import { testedBackends } from "../backends/tested_backends.ts";

const folder = new URL("../fixtures/models/vit_bert/", import.meta.url);
const pixels: Tensor = (await readTensors(new URL("golden.safetensors", folder))).get("pixel_values")!;
const long = { maxNewTokens: 20, eosTokenId: null, padTokenId: 0 };
const load = (backend: "reference" = "reference") => VisionEncoderDecoderModel.fromPretrained(folder, { backend });

Deno.test("calls of generate() under way at once run in the order they came, each with its own result", async () => {
  await using model = await load();
  const methods = [{}, { numBeams: 3 }, { doSample: true, seed: 5 }, { repetitionPenalty: 1.5 }, { numBeams: 2 }];
  const alone: unknown[] = [];
  for (const method of methods) alone.push(await model.generate(pixels, { ...long, ...method }));
  const order: number[] = [];
  const together = methods.map(async (method, i) => {
    const output = await model.generate(pixels, { ...long, ...method });
    order.push(i);
    return output;
  });
  assertEquals(await Promise.all(together), alone as never);
  assertEquals(order, [0, 1, 2, 3, 4]);
});

Deno.test("an abort ends the wait for a turn at once, and the other calls go on", async () => {
  await using model = await load();
  const first = await model.generate(pixels, long);
  const held = Promise.withResolvers<void>();
  const streamer = { put: () => held.promise, end: () => {} };
  let ended = false;
  const holding = model.generate(pixels, { ...long, streamer });
  const waiting = new AbortController();
  const second = model.generate(pixels, { ...long, signal: waiting.signal }).finally(() => ended = true);
  const third = model.generate(pixels, long);
  waiting.abort(new Error("enough of waiting"));
  await assertRejects(() => second, Error, "enough of waiting");
  assert(ended);
  held.resolve();
  assertEquals(await third, first);
  assertEquals((await holding).sequences, first.sequences);
  await assertRejects(
    () => model.generate(pixels, { signal: AbortSignal.abort(new Error("before")) }),
    Error,
    "before",
  );
});

Deno.test("an abort ends the wait for a streamer that never answers", async () => {
  await using model = await load();
  const stop = new AbortController();
  const streamer = { put: () => (stop.abort(new Error("enough")), new Promise<void>(() => {})), end: () => {} };
  await assertRejects(() => model.generate(pixels, { ...long, streamer, signal: stop.signal }), Error, "enough");
  assertEquals((await model.generate(pixels, long)).sequences.length, 2);
});

for (const throws of ["at once", "later"]) {
  Deno.test(`generate() fails with what its streamer throws ${throws}, and the model stays usable`, async () => {
    await using model = await load();
    const before = await model.generate(pixels, long);
    let calls = 0;
    const put = () => {
      if (++calls < 3) return;
      if (throws === "later") return Promise.reject(new RangeError("full"));
      throw new RangeError("full");
    };
    await assertRejects(
      () => model.generate(pixels, { ...long, streamer: { put, end: () => {} } }),
      RangeError,
      "full",
    );
    assertEquals(calls, 3);
    const end = () => {
      throw new RangeError("not the end");
    };
    const streamer = { put: () => {}, end };
    await assertRejects(() => model.generate(pixels, { ...long, streamer }), RangeError, "not the end");
    assertEquals(await model.generate(pixels, long), before);
  });
}

for (const backendName of testedBackends) {
  Deno.test(`a dispose during generate() on ${backendName} waits for it, and then there is nothing left`, async () => {
    await using backend = await loadBackend(backendName);
    const model = await VisionEncoderDecoderModel.fromPretrained(folder, { backend });
    const generating = [model.generate(pixels, long), model.generate(pixels, { ...long, numBeams: 2 })];
    const disposed = model[Symbol.asyncDispose]();
    await assertRejects(() => model.generate(pixels, long), LimnerError, "released");
    const outputs = await Promise.all(generating);
    await disposed;
    assertEquals(outputs.map(({ sequences }) => sequences.length), [2, 2]);
    assertEquals(backend.counters.liveHandles, 0);
    await model[Symbol.asyncDispose]();
  });

  Deno.test(`an abort on ${backendName} frees what a generation holds, whatever its method`, async () => {
    await using backend = await loadBackend(backendName);
    await using model = await VisionEncoderDecoderModel.fromPretrained(folder, { backend });
    const methods = [{}, { numBeams: 2 }, { doSample: true, seed: 1 }, { doSample: true, numBeams: 2, topP: 0.9 }];
    const base: number[] = [];
    for (let round = 0; round < 3; round++) {
      for (const method of methods) {
        const stop = new AbortController();
        const stoppingCriteria = [(tokens: readonly number[]) => tokens.length === 5 && (stop.abort(), false)];
        const options = { ...long, ...method, stoppingCriteria, signal: stop.signal };
        await assertRejects(() => model.generate(pixels, options), DOMException, "aborted");
        base.push(backend.counters.liveHandles);
      }
    }
    // Weights and programs stay; after each method was used once nothing is added.
    assertEquals(new Set(base.slice(methods.length)).size, 1, `${base}`);
    const { sequences } = await model.generate(pixels, long);
    assertEquals(sequences[0].length, 21);
  });
}
