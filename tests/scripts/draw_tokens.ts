// Draws tokens for make_confidences.py, which gives cases as JSON on standard input:
//   deno run -A tests/scripts/draw_tokens.ts < cases.json
// It prints the sequences of each; null where the options of a case contradict one another.
import { OptionError, Tensor, VisionEncoderDecoderModel } from "../../mod.ts";
import { readTensors } from "../conformance/read_golden.ts";

const models = new URL("../fixtures/models/", import.meta.url);
const cases = JSON.parse(await new Response(Deno.stdin.readable).text());
const drawn: (number[][] | null)[] = [];
for (const { model: name, rows, kwargs, seed } of cases) {
  const folder = new URL(`${name}/`, models);
  await using model = await VisionEncoderDecoderModel.fromPretrained(folder, { backend: "reference" });
  const pixels = (await readTensors(new URL("golden.safetensors", folder))).get("pixel_values")!;
  const size = pixels.size / pixels.shape[0];
  const data = rows.flatMap((row: number) => [...pixels.data.subarray(row * size, (row + 1) * size) as Float32Array]);
  const given = new Tensor("float32", [rows.length, ...pixels.shape.slice(1)], Float32Array.from(data));
  const options = Object.fromEntries(
    Object.entries(kwargs).map(([key, value]) => [key.replace(/_(.)/g, (_, c) => c.toUpperCase()), value]),
  );
  try {
    drawn.push((await model.generate(given, { ...options, seed })).sequences);
  } catch (error) {
    if (!(error instanceof OptionError)) throw error;
    drawn.push(null);
  }
}
console.log(JSON.stringify(drawn));
