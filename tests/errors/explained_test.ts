// What V8 and libraries cannot do reaches a person as a LimnerError that names the input. Limits are raised here, so that
// what they would refuse is tried.
import { assert, assertEquals, assertInstanceOf, assertStrictEquals } from "@std/assert";
import {
  AutoImageProcessor,
  AutoTokenizer,
  LimnerError,
  RawImage,
  Tensor,
  VisionEncoderDecoderModel,
} from "../../mod.ts";
import { explained } from "../../src/errors/explained.ts";
import { repositoryOf } from "../limits/absurd_cases.ts";

const folder = new URL("../fixtures/models/vit_trocr_sinusoidal/", import.meta.url);
const picture = new RawImage(new Uint8Array(3 * 40 * 30).fill(100), 40, 30, 3);
const everything = {
  ...{ maxPixels: 1e15, maxInputPixels: 1e15, maxParameters: 1e15 },
  ...{ maxGenerationBytes: 1e18, maxBeams: 1e18, maxRows: 1e18 },
};

/** What work fails with, which V8 refused. */
async function refusal(work: () => unknown, input: string): Promise<void> {
  const error = await Promise.try(work).then(() => new Error("it was done"), (error) => error);
  assertInstanceOf(error, LimnerError, error.stack);
  assert(error.message.includes(input), error.message);
  assertInstanceOf(error.cause, RangeError, error.message);
}

/** Recurse until the stack ends. */
function endless(): number {
  return 1 + endless();
}

Deno.test("stacks, allocations and lengths that cannot be are errors with a task's name", async () => {
  const length = Infinity;
  const failing: readonly (() => unknown)[] = [
    endless,
    () => new Array(1e10),
    () => new Float32Array(2 ** 53),
    () => new ArrayBuffer(2 ** 52),
    () => "a".repeat(2 ** 30),
    () => new WebAssembly.Memory({ initial: 65536, maximum: 65536 }).grow(1),
    async () => await Promise.resolve(new Array(-length)),
  ];
  for (const work of failing) {
    await refusal(() => explained(() => "Cannot read page.png", work), "Cannot read page.png: ");
  }
});

Deno.test("other errors, those of a caller's own and what aborts stay as they are", async () => {
  class Own extends RangeError {}
  const errors = [
    new TypeError("t"),
    new Own("o"),
    new RangeError("the streamer is full"),
    new LimnerError("l"),
    new DOMException("a", "AbortError"),
    7,
    undefined,
  ];
  for (const error of errors) {
    const throwing = () => {
      throw error;
    };
    for (const work of [throwing, () => Promise.reject(error)]) {
      const found = await Promise.try(() => explained(() => "x", work)).then(() => "done", (found) => found);
      assertStrictEquals(found, error);
    }
  }
  assertEquals(explained(() => "x", () => 3), 3);
  assertEquals(await explained(() => "x", () => Promise.resolve(3)), 3);
});

Deno.test("a processor whose pictures no memory holds says so", async () => {
  const config = JSON.stringify({ image_processor_type: "ViTImageProcessor", size: { height: 4e6, width: 4e6 } });
  const readText = (file: string) => Promise.resolve(file === "preprocessor_config.json" ? config : undefined);
  const processor = await AutoImageProcessor.fromPretrained({ name: "org/model", readText }, { limits: everything });
  await refusal(() => processor(picture), "pictures of 40 x 30");
});

Deno.test("a generation that no memory holds says so, and the next call is answered", async () => {
  const options = { backend: "reference", limits: everything } as const;
  await using model = await VisionEncoderDecoderModel.fromPretrained(folder, options);
  const pixelValues = new Tensor("float32", [1, 3, 32, 32], new Float32Array(3 * 32 * 32).fill(0.5));
  const before = await model.generate(pixelValues, { maxNewTokens: 4 });
  await refusal(
    () => model.generate(pixelValues, { numBeams: 2 ** 40, maxNewTokens: 4 }),
    "pixelValues [1, 3, 32, 32]",
  );
  assertEquals(await model.generate(pixelValues, { maxNewTokens: 4 }), before);
});

Deno.test("what fails while a repository is read is named by it", async () => {
  const repository = await repositoryOf("vit_trocr");
  const readText = (file: string) =>
    file === "config.json" ? Promise.try(endless).then(String) : repository.readText(file);
  const failing = { ...repository, readText };
  await refusal(() => AutoTokenizer.fromPretrained(failing), "tokenizer of vit_trocr");
  await refusal(() => AutoImageProcessor.fromPretrained(failing), "image processor of vit_trocr");
  await refusal(
    () => VisionEncoderDecoderModel.fromPretrained(failing, { backend: "reference" }),
    "model of vit_trocr",
  );
});
