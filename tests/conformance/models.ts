// Whole models against Transformers: encoder states, logits and greedy ids, on any backend.
import { assertEquals } from "@std/assert";
import type { Backend } from "../../src/graph/mod.ts";
import { Tensor } from "../../src/tensor/mod.ts";
import { VisionEncoderDecoderModel } from "../../src/model/vision_encoder_decoder_model.ts";
import { assertClose } from "./closeness.ts";
import { familyConformance } from "./families.ts";
import { readTensors } from "./read_golden.ts";

/** The first axis cut to its first `count` entries. */
function firstRows(tensor: Tensor, count: number): Tensor {
  const width = tensor.size / tensor.shape[0];
  return new Tensor(tensor.dataType, [count, ...tensor.shape.slice(1)], tensor.data.slice(0, count * width));
}

const embedded = new URL("../../assets/model/", import.meta.url);
const fixtures = new URL("../fixtures/", import.meta.url);

function embeddedModel(name: string, load: () => Promise<Backend>, tolerance: number, rows: number): void {
  Deno.test(`${name} gives the embedded model's encoder states, logits and ids as Transformers`, async () => {
    const golden = await readTensors(new URL("embedded/golden.safetensors", fixtures));
    const pixelValues = firstRows(golden.get("pixel_values")!, rows);
    const ids = (golden.get("sequences")!.toList() as number[][]).slice(0, rows);
    await using backend = await load();
    {
      await using model = await VisionEncoderDecoderModel.fromPretrained(embedded, { backend });
      const output = await model.forward({ pixelValues, decoderInputIds: ids.map((row) => row.slice(0, -1)) });
      const states = firstRows(golden.get("encoder_last_hidden_state")!, rows);
      assertClose(output.encoderLastHiddenState, states, tolerance, "the encoder's states");
      assertClose(output.logits, firstRows(golden.get("logits")!, rows), tolerance, "the logits");
      // The goldens are padded to the longest of eight rows, ours to the longest of these.
      const { sequences, truncated } = await model.generate(pixelValues);
      const ends = ids.map((row) => row.indexOf(2, 1) + 1);
      sequences.forEach((row, i) => assertEquals(row.slice(0, ends[i]), ids[i].slice(0, ends[i])));
      assertEquals(sequences.every((row, i) => row.slice(ends[i]).every((id) => id === 1)), true);
      assertEquals(sequences[0].length, Math.max(...ends));
      assertEquals(truncated, ids.map(() => false));
    }
    assertEquals(backend.counters.liveHandles, 0);
  });
}

/**
 * Check whole models on a backend.
 *
 * @param name The backend's name, for the tests' names.
 * @param load Loads it.
 * @param tolerance The largest error allowed, relative to the largest value of each result.
 * @param options.rows How many of the eight goldens of the embedded model are run.
 * @param options.models Which of the families' models are run. @default all
 */
export function modelConformance(
  name: string,
  load: () => Promise<Backend>,
  tolerance: number,
  options: { rows?: number; models?: readonly string[] } = {},
): void {
  embeddedModel(name, load, tolerance, options.rows ?? 8);
  familyConformance(name, load, tolerance, options.models);
}
