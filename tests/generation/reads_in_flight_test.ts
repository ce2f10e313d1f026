import { assert, assertEquals } from "@std/assert";
import { loadWithProfile } from "../../backends/webgpu/mod.ts";
import type { Backend, VisionEncoderDecoderModel } from "../../mod.ts";
import type { Stream } from "../../src/graph/mod.ts";
import { inputs, quantizedModel } from "../model/quantized_models.ts";

/** A backend that is said to have so many reads under way, and what is noted of them. */
function observed(real: Backend, readsInFlight: number): { backend: Backend; most: () => number } {
  let now = 0, most = 0;
  const watch = (stream: Stream): Stream =>
    new Proxy(stream, {
      get(target, name) {
        if (name === "read") {
          return async (...args: Parameters<Stream["read"]>) => {
            most = Math.max(most, ++now);
            try {
              return await target.read(...args);
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

Deno.test("a GPU has two reads under way, and a text of 17 tokens takes three", async () => {
  await using backend = await loadWithProfile("gpu");
  assertEquals(backend.readsInFlight, 2);
  await using model = await quantizedModel("gpt2", { backend });
  await model.generate(pixelValues, { maxNewTokens: 2 });
  const before = backend.counters.waits;
  const { sequences: [tokens] } = await model.generate(pixelValues, { maxNewTokens: 17, eosTokenId: null });
  assertEquals([tokens.length, backend.counters.waits - before], [18, 3]);
});

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
