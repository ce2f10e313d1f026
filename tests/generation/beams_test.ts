// Beams ranked in a program, several steps between two looks, are those that the host ranks at each step.
import { assert, assertEquals } from "@std/assert";
import {
  type Backend,
  type GenerateOptions,
  type GenerateOutput,
  loadBackend,
  Tensor,
  VisionEncoderDecoderModel,
} from "../../mod.ts";
import { assertClose } from "../conformance/closeness.ts";
import { readTensors } from "../conformance/read_golden.ts";
import { testedBackends } from "../backends/tested_backends.ts";

const folder = new URL("../fixtures/models/vit_gpt2_captioning/", import.meta.url);

/** A backend that is looked at every so many steps, and the rows of all states of tokens that it has held. */
function lookedAt(real: Backend, stepsPerRead: number): { backend: Backend; rows: number[] } {
  const rows: number[] = [];
  const backend = new Proxy(real, {
    get: (target, name) => {
      if (name === "stepsPerRead") return stepsPerRead;
      if (name === "allocate") {
        return (...[dataType, capacity]: Parameters<Backend["allocate"]>) => {
          if (dataType === "int64") rows.push(capacity[0]);
          return target.allocate(dataType, capacity);
        };
      }
      const value = Reflect.get(target, name);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
  return { backend, rows };
}

/** Six pictures that differ. */
async function pictures(): Promise<Tensor> {
  const two = (await readTensors(new URL("golden.safetensors", folder))).get("pixel_values")!;
  const shades = [1, 0.8, 0.6, 0.4, 0.2, 0];
  const data = shades.flatMap((shade, i) => {
    const size = two.size / 2;
    return Array.from(two.data.subarray((i % 2) * size, (i % 2 + 1) * size) as Float32Array, (pixel) => pixel * shade);
  });
  return new Tensor("float32", [shades.length, ...two.shape.slice(1)], Float32Array.from(data));
}

const prompts = Array.from({ length: 6 }, (_, i) => [0, 5 + 3 * i]);
/** Tokens that these prompts go on with, some sooner and some later, so that the rows are compacted. */
const ends = [395, 358, 192, 202, 88];
const early = { decoderInputIds: prompts, eosTokenId: ends, repetitionPenalty: 1.3 };
const searches: readonly GenerateOptions[] = [
  { numBeams: 4, eosTokenId: null },
  { ...early, numBeams: 2, earlyStopping: true },
  { ...early, numBeams: 3, earlyStopping: true, numReturnSequences: 3, noRepeatNgramSize: 2, badWordsIds: [[399]] },
  { ...early, numBeams: 2, earlyStopping: "never", lengthPenalty: 2 },
  { ...early, numBeams: 3, lengthPenalty: -0.5, minNewTokens: 4, forcedEosTokenId: 2 },
  { ...early, numBeams: 2, repetitionPenalty: 0.8 },
  // More beams than tokens that are let be.
  { numBeams: 5, eosTokenId: 2, suppressTokens: Array.from({ length: 400 }, (_, id) => id).filter((id) => id > 3) },
];

/** The same texts, as sure: a kernel may round otherwise where rows were left out at another step. */
function assertAlike(actual: GenerateOutput, expected: GenerateOutput, what: string): void {
  const { confidences, sequencesScores, ...rest } = actual;
  const { confidences: otherConfidences, sequencesScores: otherScores, ...others } = expected;
  assertEquals(rest, others, what);
  const [found, wanted] = [[confidences, sequencesScores], [otherConfidences, otherScores]]
    .map((given) => Float32Array.from(given.flat(2) as number[]));
  assertClose(new Tensor("float32", [found.length], found), new Tensor("float32", [wanted.length], wanted), 1e-5, what);
}

for (const backendName of testedBackends) {
  Deno.test(`beams ranked in a program on ${backendName} are those that the host ranks`, async () => {
    await using backend = await loadBackend(backendName);
    const pixels = await pictures();
    const { backend: byHost } = lookedAt(backend, 1);
    const byProgram = lookedAt(backend, 5);
    await using host = await VisionEncoderDecoderModel.fromPretrained(folder, { backend: byHost });
    await using program = await VisionEncoderDecoderModel.fromPretrained(folder, { backend: byProgram.backend });
    for (const search of searches) {
      const options = { maxNewTokens: 17, padTokenId: 1, outputConfidences: true, ...search };
      const expected = await host.generate(pixels, options);
      const waits = backend.counters.waits;
      const actual = await program.generate(pixels, options);
      assertAlike(actual, expected, JSON.stringify(search));
      assert(backend.counters.waits - waits <= 4, `${backend.counters.waits - waits} waits`);
    }
    assert(byProgram.rows.length >= searches.length + 4, `hardly compacted: ${byProgram.rows}`);
  });
}
