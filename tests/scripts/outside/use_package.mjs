// What the package for npm does, run by Node and by Bun: `node use_package.mjs PACKAGE ROOT`. Each line is something that worked.
import assert from "node:assert/strict";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { pathToFileURL } from "node:url";

const [folder, root] = process.argv.slice(2);
const load = async (name) => await import(pathToFileURL(`${folder}/${name}.js`).href);
const { AutoTokenizer, Captioner, readImage, Trainer, VisionEncoderDecoderModel } = await load("mod");
const picture = (name) => `${root}/assets/examples/${name}.png`;
const texts = ["ninth century Zen master", "2/8/2021"];

const captioner = await Captioner.load(undefined, { backend: "wasm" });
assert.deepEqual(await captioner.caption([picture("line"), await readFile(picture("date"))]), texts);
const [{ confidence, words }] = await captioner.captions(picture("line"), { numBeams: 3, outputAttentions: true });
assert.ok(confidence > 0.5 && words.length === 4);
let streamed = "";
for await (const piece of captioner.stream(picture("date"))) streamed += piece;
assert.equal(streamed, texts[1]);
console.log("captions: greedy, by beams, with attention, streamed");

await assert.rejects(() => captioner.caption("no/such/picture.png"), /there is no such file/);
await assert.rejects(() => Captioner.load("/no/such/folder/of/a/model"), /there is no such folder/);
await assert.rejects(() => Captioner.load(undefined, { backend: "ffi" }), { name: "BackendError" });
console.log("bad input: refused with the reason");

const saved = await mkdtemp(`${tmpdir()}/limner_package_`);
try {
  await captioner.savePretrained(`${saved}/model`);
  const again = await Captioner.load(`${saved}/model`, { backend: "wasm" });
  assert.equal(await again.caption(picture("line")), texts[0]);
  await again[Symbol.asyncDispose]();
  const tokenizer = await AutoTokenizer.fromPretrained(`${saved}/model`);
  const { inputIds } = tokenizer.encode("12");
  assert.equal(tokenizer.decode(inputIds, { skipSpecialTokens: true }), "12");
  console.log("saved, and loaded again");

  const model = await VisionEncoderDecoderModel.fromPretrained(`${saved}/model`, { backend: "wasm" });
  const { pixelValues } = captioner.processor(await readImage(picture("date")));
  const trainer = await Trainer.create(model, { learningRate: 1e-3, dropout: false });
  const losses = [];
  for (let step = 0; step < 2; step++) {
    losses.push((await trainer.step({ pixelValues, labels: [[...inputIds, tokenizer.eosTokenId]] })).loss);
  }
  assert.ok(losses[1] < losses[0], `${losses}`);
  await trainer.save(`${saved}/run`);
  await model[Symbol.asyncDispose]();
  console.log("trained for two steps, and saved");
} finally {
  await rm(saved, { recursive: true });
}

const { createHandler } = await load("serve");
const handler = createHandler(captioner, { apiKey: null });
const body = await readFile(picture("date"));
const answer = await handler.fetch(new Request("http://localhost/caption", { method: "POST", body }));
assert.equal((await answer.json()).text, texts[1]);
const metrics = await handler.fetch(new Request("http://localhost/metrics"));
assert.match(await metrics.text(), /limner_tokens_total [1-9]/);
await handler[Symbol.asyncDispose]();
console.log("a handler of requests");
await captioner[Symbol.asyncDispose]();
