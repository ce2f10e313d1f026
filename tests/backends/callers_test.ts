// Two callers on one backend: whatever becomes of the calls of one, the other's are never touched.
import { assert, assertEquals, assertRejects } from "@std/assert";
import { type Backend, loadBackend, type Tensor, VisionEncoderDecoderModel } from "../../mod.ts";
import { readTensors } from "../conformance/read_golden.ts";
import { effort } from "../effort.ts";
import { testedBackends } from "./tested_backends.ts";

const folder = new URL("../fixtures/models/vit_bert/", import.meta.url);
const pixels: Tensor = (await readTensors(new URL("golden.safetensors", folder))).get("pixel_values")!;
const settings = { maxNewTokens: 20, eosTokenId: null, padTokenId: 0 };

const load = (backend: Backend) => VisionEncoderDecoderModel.fromPretrained(folder, { backend });

/** Repeatable delays between 0 and 8 ms. */
const delayOf = (attempt: number) => (attempt * 37 % 17) / 2;

const wait = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));

/** Work of a stream that fails on the device, beside work that is well. */
async function failOnDevice(backend: Backend): Promise<void> {
  using stream = backend.stream();
  using source = backend.allocate("float32", [2, 4]);
  using target = backend.allocate("float32", [2, 4]);
  stream.write(source, Float32Array.of(1, 2, 3, 4));
  stream.copyRows(source, target, { rows: [[0, 1 << 20]], axis: 1, length: 4 });
  await assertRejects(() => stream.read(target));
  assertEquals([...(await stream.read(source, { shape: [4] })).data], [1, 2, 3, 4]);
}

/** What the first caller does, by how it ends; `model` is its own. */
const endings: Record<string, (model: VisionEncoderDecoderModel, attempt: number) => Promise<void>> = {
  async aborted(model, attempt) {
    const control = new AbortController();
    const call = model.generate(pixels, { ...settings, numBeams: 1 + attempt % 2, signal: control.signal });
    const ended = call.then(() => {}, (error) => assertEquals(error.message, "A stopped"));
    await wait(delayOf(attempt));
    control.abort(new Error("A stopped"));
    await ended;
  },
  async failing(model, attempt) {
    const fail = (tokens: readonly number[]): boolean => {
      if (tokens.length > 1 + attempt % 19) throw new Error("A failed");
      return false;
    };
    await Promise.all([
      assertRejects(() => model.generate(pixels, { ...settings, stoppingCriteria: [fail] }), Error, "A failed"),
      failOnDevice(model.backend),
    ]);
  },
  async disposed({ backend }, attempt) {
    const own = await load(backend);
    const call = own.generate(pixels, settings).catch(() => {});
    await wait(delayOf(attempt));
    await own[Symbol.asyncDispose]();
    await call;
  },
};

for (const name of testedBackends) {
  for (const [ending, run] of Object.entries(endings)) {
    Deno.test(`${name}: a caller's calls are right while another's are ${ending}`, async () => {
      await using backend = await loadBackend(name);
      {
        await using first = await load(backend);
        await using second = await load(backend);
        const expected = (await second.generate(pixels, settings)).sequences;
        const tries = effort(name === "ffi" && ending !== "disposed" ? 60 : 12, 200);
        for (let attempt = 0; attempt < tries; attempt++) {
          let ended = false;
          const other = run(first, attempt).finally(() => ended = true);
          do assertEquals((await second.generate(pixels, settings)).sequences, expected); while (!ended);
          await other;
        }
        // The first caller's next call is right too.
        assertEquals((await first.generate(pixels, settings)).sequences, expected);
      }
      assertEquals(backend.counters.liveHandles, 0);
      assert(backend.counters.weightBytes === 0);
    });
  }
}
