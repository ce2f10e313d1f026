// What 8 and 4 bits cost at full size: how far logits move, and how many of 100 next tokens would be others.
import { Tensor, VisionEncoderDecoderModel } from "../../mod.ts";
import { configs, writeModels } from "./full_size.ts";
import { type Row, row } from "./rows.ts";

/** Tokens of a text, and texts: 100 positions. */
const [length, texts] = [20, 5];

/** Logits of some pictures with given texts, each position's in an array of its own. */
async function logitsOf(folder: string): Promise<Float32Array[]> {
  await using model = await VisionEncoderDecoderModel.fromPretrained(folder, { backend: "ffi" });
  const size = model.config.encoder.image_size as number;
  const vocabulary = model.config.decoder.vocab_size as number;
  let state = 1;
  const random = () => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) / 2 ** 32;
  const found: Float32Array[] = [];
  for (let n = 0; n < texts; n++) {
    const pixels = Float32Array.from({ length: 3 * size * size }, () => 2 * random() - 1);
    const ids = [Array.from({ length }, () => Math.floor(random() * vocabulary))];
    const pixelValues = new Tensor("float32", [1, 3, size, size], pixels);
    const { logits } = await model.forward({ pixelValues, decoderInputIds: ids });
    const data = logits.data as Float32Array;
    for (let at = 0; at < length; at++) found.push(data.slice(at * vocabulary, (at + 1) * vocabulary));
  }
  return found;
}

function largest(values: Float32Array): number {
  return values.reduce((best, value, i) => value > values[best] ? i : best, 0);
}

/** The root of the mean square of differences, as a part of the spread of the first's values around their mean. */
function distance(whole: readonly Float32Array[], few: readonly Float32Array[]): number {
  let [squares, spread] = [0, 0];
  whole.forEach((row, n) => {
    const mean = row.reduce((sum, value) => sum + value, 0) / row.length;
    row.forEach((value, i) => {
      squares += (value - few[n][i]) ** 2;
      spread += (value - mean) ** 2;
    });
  });
  return Math.sqrt(squares / spread);
}

/** The rows of both models, in 8 and in 4 bits. */
export async function logitsRows(folder: string): Promise<Row[]> {
  const rows: Row[] = [];
  for (const name of Object.keys(configs)) {
    await writeModels(name, folder);
    const whole = await logitsOf(`${folder}/${name}_float32`);
    for (const form of ["q8", "q4"]) {
      const few = await logitsOf(`${folder}/${name}_${form}`);
      const changed = whole.filter((row, n) => largest(row) !== largest(few[n])).length;
      rows.push(
        row(`${name}, ${form}: logits`, "of their spread off", distance(whole, few)),
        row(`${name}, ${form}: next tokens`, `others, of ${whole.length}`, changed),
      );
    }
  }
  return rows;
}
