// One process of Limner's, measured by mod.ts: `deno run -A limner_peer.ts FOLDER OPTIONS`, options being those of loading, with
// `only` for the load, the first text, two texts (the second with packed weights) or texts of one picture alone, and `pictures` for the ids of so many pictures. A line of JSON at the first text, one at the end.
import { type LoadOptions, Tensor, type Timings, VisionEncoderDecoderModel } from "../../mod.ts";

const newTokens = 16;
const repeats = 3;

const [folder, given = "{}"] = Deno.args;
const { only, pictures, ...options } = JSON.parse(given) as LoadOptions & {
  only?: "load" | "text" | "texts" | "one";
  pictures?: number;
};

const began = performance.now();
await using model = await VisionEncoderDecoderModel.fromPretrained(folder, { backend: "ffi", ...options });
const load = performance.now() - began;
const size = model.config.encoder.image_size as number;

/** A batch of pictures, each of its own numbers between -1 and 1: the same as in transformers_js_peer.mjs. */
function batch(count: number, first = 0): Tensor {
  const each = 3 * size * size;
  const data = new Float32Array(count * each);
  for (let n = 0; n < count; n++) {
    let state = first + n + 1;
    for (let i = 0; i < each; i++) {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      data[n * each + i] = state / 2 ** 31 - 1;
    }
  }
  return new Tensor("float32", [count, 3, size, size], data);
}

const length = { maxNewTokens: newTokens, minNewTokens: newTokens };
const one = batch(1);
if (only === "load") console.log(JSON.stringify({ load }));
else if (pictures) {
  const ids: number[][] = [];
  for (let n = 0; n < pictures; n++) ids.push(...(await model.generate(batch(1, n), length)).sequences);
  console.log(JSON.stringify({ ids: ids.map((row) => row.slice(1)) }));
} else {
  await model.generate(one, length);
  console.log(JSON.stringify({ load }));
  if (only === "texts") await model.generate(one, length);
}
if ((only === undefined || only === "one") && !pictures) {
  const keys = ["encode", "token", "caption", "oneToken", "beams", "batch"] as const;
  const least = Object.fromEntries(keys.map((key) => [key, Infinity])) as Record<(typeof keys)[number], number>;
  const enter = (key: keyof typeof least, value: number) => least[key] = Math.min(least[key], value);
  const timed = async (work: () => Promise<unknown>) => {
    const began = performance.now();
    await work();
    return performance.now() - began;
  };
  const eight = batch(8);
  for (let round = 0; round < repeats; round++) {
    enter("caption", await timed(() => model.generate(one, length)));
    enter("oneToken", await timed(() => model.generate(one, { maxNewTokens: 1 })));
    const onTimings = ({ encode, decode }: Timings) => {
      enter("encode", encode);
      enter("token", decode / newTokens);
    };
    await model.generate(one, { ...length, onTimings });
    if (only === "one") continue;
    const onBeams = ({ decode }: Timings) => enter("beams", decode / newTokens);
    await model.generate(one, { ...length, numBeams: 4, onTimings: onBeams });
    if (round < 2) enter("batch", await timed(() => model.generate(eight, length)));
  }
  console.log(JSON.stringify(least));
}
