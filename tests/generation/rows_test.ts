// Rows of a batch: those that have ended stop costing, and no row's text depends on which others there are.
import { assert, assertEquals } from "@std/assert";
import { type Backend, loadBackend, Tensor, VisionEncoderDecoderModel } from "../../mod.ts";
import { readTensors } from "../conformance/read_golden.ts";
import { testedBackends } from "../backends/tested_backends.ts";

const folder = new URL("../fixtures/models/vit_gpt2_captioning/", import.meta.url);

/** A backend, and the rows of all caches that were allocated on it. */
function watched(backend: Backend): { backend: Backend; rows: number[] } {
  const rows: number[] = [];
  const allocate: Backend["allocate"] = (dataType, capacity) => {
    // The caches' capacity is a multiple of 64, the tokens' too.
    if (dataType === "int64" && capacity.length === 2) rows.push(capacity[0]);
    return backend.allocate(dataType, capacity);
  };
  const proxy = new Proxy(backend, {
    get: (target, name) => {
      if (name === "allocate") return allocate;
      const value = Reflect.get(target, name);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
  return { backend: proxy, rows };
}

/** Pictures that differ, as many as asked for. */
async function pictures(batch: number): Promise<Tensor> {
  const two = (await readTensors(new URL("golden.safetensors", folder))).get("pixel_values")!;
  const size = two.size / 2;
  const data = new Float32Array(batch * size);
  for (let i = 0; i < data.length; i++) {
    const [picture, at] = [Math.floor(i / size), i % size];
    data[i] = (two.data[(picture % 2) * size + at] as number) * (1 - picture / 10);
  }
  return new Tensor("float32", [batch, ...two.shape.slice(1)], data);
}

function pick(pixels: Tensor, row: number): Tensor {
  const size = pixels.size / pixels.shape[0];
  const data = (pixels.data as Float32Array).slice(row * size, (row + 1) * size);
  return new Tensor("float32", [1, ...pixels.shape.slice(1)], data);
}

const batch = 8;
/** Each row begins with a token of its own, which says how long it gets. */
const prompts = Array.from({ length: batch }, (_, row) => [0, 5 + (row * 3) % 8]);
const stops = (tokens: readonly number[]) => tokens.length >= 2 * tokens[1];
const asked = { maxNewTokens: 30, eosTokenId: null, forcedEosTokenId: null, decoderStartTokenId: 0, padTokenId: 1 };

for (const backendName of testedBackends) {
  for (const [method, options] of [["greedily", {}], ["with beams", { numBeams: 2 }]] as const) {
    Deno.test(`rows decoded ${method} on ${backendName} are those of each picture alone, and stop costing`, async () => {
      await using real = await loadBackend(backendName);
      const { backend, rows } = watched(real);
      await using model = await VisionEncoderDecoderModel.fromPretrained(folder, { backend });
      const pixels = await pictures(batch);
      const given = { ...asked, ...options, stoppingCriteria: [stops] };
      const together = await model.generate(pixels, { ...given, decoderInputIds: prompts });
      const beams = "numBeams" in options ? options.numBeams : 1;
      assertEquals(rows[0], batch * beams);
      assert(rows.length > 1, `never compacted: ${rows}`);
      rows.reduce((before, after) => (assert(after <= before * 3 / 4, `${rows}`), after));
      const wide = rows.length;
      const again = await model.generate(pixels, { ...given, decoderInputIds: prompts });
      assertEquals(again, together);
      assertEquals(rows.slice(wide), rows.slice(1, wide), "the whole batch's buffers are used again");
      for (const row of [0, 3, 7]) {
        const alone = await model.generate(pick(pixels, row), { ...given, decoderInputIds: [prompts[row]] });
        const [text] = alone.sequences;
        assertEquals(together.sequences[row].slice(0, text.length), text, `row ${row}`);
        assert(together.sequences[row].slice(text.length).every((id) => id === 1));
        assertEquals(together.truncated[row], alone.truncated[0]);
      }
    });
  }

  Deno.test(`texts drawn on ${backendName} do not depend on who draws them, nor on rows that have ended`, async () => {
    await using real = await loadBackend(backendName);
    const { backend, rows } = watched(real);
    await using model = await VisionEncoderDecoderModel.fromPretrained(folder, { backend });
    const pixels = await pictures(3);
    for (
      const options of [
        { topK: 0, temperature: 1.3 },
        { topK: 7, minNewTokens: 4, beginSuppressTokens: [8, 9], suppressTokens: [11] },
        { forcedEosTokenId: 4, numReturnSequences: 3 },
      ]
    ) {
      const given = {
        ...asked,
        decoderInputIds: prompts.slice(0, 3),
        doSample: true,
        seed: 3,
        stoppingCriteria: [stops],
        ...options,
      };
      rows.length = 0;
      const drawn = await model.generate(pixels, given);
      assert(rows.length > 1, `never compacted: ${rows}`);
      // With scores the host draws, and all rows stay.
      const { scores, ...byHost } = await model.generate(pixels, { ...given, outputScores: true });
      assertEquals(byHost, drawn, JSON.stringify(options));
      assertEquals(scores!.length, drawn.sequences[0].length - 2);
    }
  });

  Deno.test(`generate() applies rules on ${backendName} without reading at each step`, async () => {
    await using backend = await loadBackend(backendName);
    await using model = await VisionEncoderDecoderModel.fromPretrained(folder, { backend });
    const pixels = await pictures(4);
    const ofLength = { minNewTokens: 20, suppressTokens: [3], beginSuppressTokens: [7], forcedEosTokenId: 2 };
    const ofHistory = { repetitionPenalty: 1.4, badWordsIds: [[2], [3], [9]] };
    const samples = { doSample: true, temperature: 0.7, topK: 5, seed: 1 };
    const rules = [{ ...ofLength, ...ofHistory, noRepeatNgramSize: 2 }, { ...ofLength, ...ofHistory, ...samples }];
    for (const own of rules) {
      const options = { ...asked, ...own, eosTokenId: 2, maxNewTokens: 24, decoderInputIds: prompts.slice(0, 4) };
      // With scores the host applies the rules, to rows that it reads.
      const asHost = { ...options, outputScores: true, outputConfidences: true };
      const { scores: _, confidences, ...byHost } = await model.generate(pixels, asHost);
      assertEquals(await model.generate(pixels, options), byHost);
      for (const outputConfidences of [false, true]) {
        const { confidences: given, ...rest } = await model.generate(pixels, { ...options, outputConfidences });
        assertEquals(rest, byHost);
        const off = given?.flatMap((row, r) => row.map((confidence, t) => Math.abs(confidence - confidences![r][t])));
        assert(outputConfidences ? Math.max(...off!) < 1e-5 : !given, `${off}`);
        const before = { ...backend.counters };
        await model.generate(pixels, { ...options, outputConfidences });
        const { waits, bytesRead } = backend.counters;
        const steps = byHost.sequences[0].length - 2;
        assert(waits - before.waits <= Math.ceil(steps / backend.stepsPerRead));
        assert(bytesRead - before.bytesRead <= steps * 4 * 64 * 8, "only tokens are read, and how sure they are");
      }
      const { sequences, truncated } = byHost;
      for (const [row, tokens] of sequences.entries()) {
        assert(tokens.indexOf(2) >= 22, `${tokens}`);
        assert(!tokens.includes(3) && !tokens.slice(2).includes(9) && tokens[2] !== 7);
        assertEquals(truncated[row], false);
      }
    }
  });
}
