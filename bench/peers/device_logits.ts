// Logits at full size on each profile of the webgpu backend, beside PyTorch's in float32: how far they are off, as a part of the
// largest. It shows whether kernels of a GPU are right at the sizes that models have; an adapter in software is enough for it.
import { Tensor, VisionEncoderDecoderModel } from "../../mod.ts";
import { loadWithProfile, type ProfileName } from "../../backends/webgpu/mod.ts";
import { configs, writeModels } from "./full_size.ts";
import { runProcess } from "./processes.ts";
import { type Row, row } from "./rows.ts";

/** Tokens of the text. */
const length = 8;

const profiles: readonly ProfileName[] = ["soft", "gpu", "gpu-sg"];
/** How weights are held, and how far logits may then be off. */
const storages = { float32: "<= 0.001", float16: "<= 0.02" } as const;

/** A picture and a text of random numbers. */
function inputsOf(size: number, vocabulary: number): { pixels: Float32Array<ArrayBuffer>; ids: number[] } {
  let state = 1;
  const random = () => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) / 2 ** 32;
  const pixels = Float32Array.from({ length: 3 * size * size }, () => 2 * random() - 1);
  return { pixels, ids: Array.from({ length }, () => Math.floor(random() * vocabulary)) };
}

/** The largest difference from what is expected, as a part of the largest number of that. */
function distance(found: Float32Array, expected: Float32Array): number {
  let [off, most] = [0, 0];
  expected.forEach((value, i) => {
    const difference = Math.abs(value - found[i]);
    // A NaN is as far off as can be.
    off = difference <= off ? off : Number.isNaN(difference) ? Infinity : difference;
    most = Math.max(most, Math.abs(value));
  });
  return off / most;
}

/** The rows of the models of these names, written to the folder where they are not there. */
export async function deviceLogitsRows(
  folder: string,
  python: string,
  names: readonly string[] = Object.keys(configs),
): Promise<Row[]> {
  const rows: Row[] = [];
  for (const name of names) {
    await writeModels(name, folder, ["float32"]);
    const path = `${folder}/${name}_float32`;
    const { encoder, decoder } = configs[name]();
    const size = encoder.image_size as number;
    const { pixels, ids } = inputsOf(size, decoder.vocab_size as number);
    await Deno.writeFile(`${folder}/pixels.f32`, new Uint8Array(pixels.buffer));
    const script = new URL("pytorch_logits.py", import.meta.url).pathname;
    await runProcess(python, [script, path, `${folder}/pixels.f32`, ids.join(), `${folder}/logits.f32`]);
    const expected = new Float32Array((await Deno.readFile(`${folder}/logits.f32`)).buffer);
    const pixelValues = new Tensor("float32", [1, 3, size, size], pixels);
    for (const profile of profiles) {
      for (const [dtype, limit] of Object.entries(storages)) {
        await using backend = await loadWithProfile(profile);
        const options = { backend, dtype: dtype as keyof typeof storages };
        await using model = await VisionEncoderDecoderModel.fromPretrained(path, options);
        const { logits } = await model.forward({ pixelValues, decoderInputIds: [ids] });
        const off = distance(logits.data as Float32Array, expected);
        rows.push(row(`${name}, ${profile}, ${dtype}: logits`, "of PyTorch's largest", off, limit, backend.device));
        console.log(`${rows.at(-1)!.measure}: ${rows.at(-1)!.value}`);
      }
    }
  }
  return rows;
}
