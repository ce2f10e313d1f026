// Small kernels that one workgroup does one after the other compute what they compute alone.
import { assert, assertEquals } from "@std/assert";
import { WebGpuBackend } from "../../../backends/webgpu/backend.ts";
import { findAdapter, isSoftware, openDevice } from "../../../backends/webgpu/device/adapter.ts";
import { type Profile, profiles } from "../../../backends/webgpu/device/profile.ts";
import { copyKernel } from "../../../backends/webgpu/kernels/movement.ts";
import type { Dispatch } from "../../../backends/webgpu/kernels/shader.ts";
import { inSequences, sequencesOf } from "../../../backends/webgpu/program/sequences.ts";
import { type Storage, wholeView } from "../../../backends/webgpu/program/view.ts";
import { VisionEncoderDecoderModel } from "../../../mod.ts";
import { GraphBuilder } from "../../../src/graph/mod.ts";
import { cacheAppend } from "../../../src/operators/mod.ts";
import { readTensors } from "../../conformance/read_golden.ts";
import { numbers } from "../../conformance/repeatable_numbers.ts";

const { soft } = profiles;
const adapter = await findAdapter();
const ignore = !adapter || !isSoftware(adapter);
const limits = { buffers: 32, texels: 32 };

for (const name of ["vit_trocr_base", "vit_gpt2_captioning", "vit_bert"]) {
  const folder = new URL(`../../fixtures/models/${name}/`, import.meta.url);
  Deno.test(
    `webgpu's kernels in sequences score the tokens of ${name} as alone, on a software adapter`,
    { ignore },
    async () => {
      const [, ...shape] = (await readTensors(new URL("golden.safetensors", folder))).get("pixel_values")!.shape;
      const generate = async (profile: Profile, rows: number) => {
        const { device, profile: own } = await openDevice((await findAdapter())!, profile);
        await using backend = new WebGpuBackend(device, own, "software");
        await using model = await VisionEncoderDecoderModel.fromPretrained(folder, { backend });
        const options = { numBeams: 1, maxNewTokens: 6, eosTokenId: null, outputScores: true };
        const { sequences, scores } = await model.generate(numbers(5, rows, ...shape), options);
        return { sequences, scores: scores!.map(({ data }) => data as Float32Array), ...backend.counters };
      };
      // Rows of a batch are computed by other kernels, alone.
      for (const rows of [1, 3]) {
        const [together, alone] = [await generate(soft, rows), await generate({ ...soft, sequences: undefined }, rows)];
        assertEquals(together.sequences, alone.sequences);
        const isClose = (a: number, b: number) => a === b || Math.abs(a - b) <= 1e-5 * (1 + Math.abs(b));
        together.scores.forEach((step, i) => assert(step.every((score, id) => isClose(score, alone.scores[i][id]))));
        if (rows === 1) assert(together.dispatches < alone.dispatches, `${together.dispatches}`);
        else assertEquals(together.dispatches, alone.dispatches);
      }
    },
  );
}

/** A program that appends to a cache, or not. */
function program(appends: boolean) {
  const builder = new GraphBuilder("program");
  const x = builder.input("x", "float32", [1, 1]);
  if (appends) cacheAppend(builder.state("cache", "float32", [1, "capacity"]), x, { axis: 1, at: 0 });
  builder.output("y", x);
  return builder.build();
}

/** Copies from one memory to the next, of as many elements each. */
function copies(lengths: readonly (number | string)[]): Dispatch[] {
  const memory = lengths.map((): Storage => ({ kind: "temporary", elements: (resolve) => resolve("n") }));
  const end: Storage = { kind: "temporary", elements: (resolve) => resolve("n") };
  const view = (storage: Storage, length: number | string) => wholeView(storage, "float32", [length]);
  return lengths.map((length, i) => copyKernel(view(memory[i], length), view(memory[i + 1] ?? end, length), soft));
}

function lengthsOf(dispatches: readonly Dispatch[], options: { profile?: Profile; bound?: typeof limits } = {}) {
  const steps = dispatches.map((dispatch) => [{ dispatch }]);
  const { profile = soft, bound = limits } = options;
  return sequencesOf(program(true), steps, { profile, limits: bound }).map(({ parts }) => parts.length);
}

Deno.test("sequencesOf() takes short kernels that follow each other, as many as a device can bind", () => {
  const long = soft.sequences!.mostTurns * 8 + 1;
  assertEquals(lengthsOf(copies([9, 9, 9])), [3]);
  assertEquals(lengthsOf(copies([9, 9, long, 9, 9, 9])), [2, 3]);
  assertEquals(lengthsOf(copies([9, long, 9])), []);
  assertEquals(lengthsOf(copies(Array(10).fill(9))), [4, 4, 2]);
  const many = { ...soft, sequences: { mostKernels: 9, mostTurns: 100 } };
  assertEquals(lengthsOf(copies(Array(10).fill(9)), { profile: many }), [9]);
  assertEquals(lengthsOf(copies(Array(10).fill(9)), { profile: many, bound: { buffers: 4, texels: 0 } }), [3, 3, 3]);
  assertEquals(lengthsOf(copies([9, 9]), { profile: { ...soft, sequences: undefined } }), []);
  const steps = copies([9, 9]).map((dispatch) => [{ dispatch }]);
  assertEquals(sequencesOf(program(false), steps, { profile: soft, limits }), []);
});

Deno.test("inSequences() replaces the kernels of a sequence where all of them are there and short", () => {
  const dispatches = copies(["n", "n", 9]);
  const [other] = copies([9]);
  const sequences = sequencesOf(program(true), dispatches.map((dispatch) => [{ dispatch }]), { profile: soft, limits });
  const of = (all: readonly Dispatch[], n: number) =>
    inSequences(all, sequences, (dimension) => typeof dimension === "number" ? dimension : n);
  const [{ dispatch }] = sequences;
  assertEquals(of([other, ...dispatches, other], 9), [other, dispatch, other]);
  assertEquals(of(dispatches, 100_000), dispatches);
  assertEquals(of([dispatches[0], other, dispatches[2]], 9), [dispatches[0], other, dispatches[2]]);
  assertEquals(of(dispatches.slice(0, 2), 9), dispatches.slice(0, 2));
});
