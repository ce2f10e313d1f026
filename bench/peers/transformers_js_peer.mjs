// One process of transformers.js's in Node, measured by mod.ts, which copies it to a folder with its package: `node
// transformers_js_peer.mjs FOLDER OPTIONS`, options being dtype, pictures, and only: "one" for one picture alone. A line of JSON at the first text, one at the end.
// Computed, since Deno, which checks this file, has no such package.
const name = ["@huggingface", "transformers"].join("/");
const { AutoModelForVision2Seq, env, Tensor } = await import(name);

const newTokens = 16;
const repeats = 3;
const [folder, given = "{}"] = process.argv.slice(2);
const { dtype = "fp32", pictures, only } = JSON.parse(given);
env.allowRemoteModels = false;
env.localModelPath = "/";

const began = performance.now();
const model = await AutoModelForVision2Seq.from_pretrained(folder, { dtype, device: "cpu", local_files_only: true });
const load = performance.now() - began;
const size = model.config.encoder.image_size;

function batch(count, first = 0) {
  const each = 3 * size * size;
  const data = new Float32Array(count * each);
  for (let n = 0; n < count; n++) {
    let state = first + n + 1;
    for (let i = 0; i < each; i++) {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      data[n * each + i] = state / 2 ** 31 - 1;
    }
  }
  return new Tensor("float32", data, [count, 3, size, size]);
}

const write = (pixel_values, length = newTokens) =>
  model.generate({ pixel_values, max_new_tokens: length, min_new_tokens: length, do_sample: false, num_beams: 1 });
const one = batch(1);
if (pictures) {
  const ids = [];
  for (let n = 0; n < pictures; n++) ids.push((await write(batch(1, n))).tolist()[0].slice(1).map(Number));
  console.log(JSON.stringify({ ids }));
} else {
  await write(one);
  console.log(JSON.stringify({ load }));
  const timed = async (work) => {
    const began = performance.now();
    await work();
    return performance.now() - began;
  };
  const least = { encode: Infinity, caption: Infinity, oneToken: Infinity, batch: Infinity };
  const enter = async (key, work) => least[key] = Math.min(least[key], await timed(work));
  const eight = batch(8);
  for (let round = 0; round < repeats; round++) {
    await enter("caption", () => write(one));
    await enter("oneToken", () => write(one, 1));
    await enter("encode", () => model.sessions.model.run({ pixel_values: one.ort_tensor }));
    if (round < 1 && only !== "one") await enter("batch", () => write(eight));
  }
  const token = (least.caption - least.oneToken) / (newTokens - 1);
  console.log(JSON.stringify({ ...least, token }));
}
process.exit(0);
