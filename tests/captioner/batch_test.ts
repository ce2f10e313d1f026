import { assert, assertEquals, assertNotEquals, assertRejects } from "@std/assert";
import {
  BackendError,
  Captioner,
  HubError,
  type LoadOptions,
  type LoadProgress,
  OptionError,
  readImage,
} from "../../mod.ts";
import { testedBackends } from "../backends/tested_backends.ts";

const line = (n: number) => new URL(`../fixtures/lines/00${n}.png`, import.meta.url);
const texts = ["undisputed multiverses", "plug it in."];
const backend = "reference";

Deno.test("Captioner.captions() gives all texts of a picture, the best first, with what is known of them", async () => {
  await using captioner = await Captioner.load(undefined, { backend });
  const beams = { numBeams: 3, numReturnSequences: 2 };
  const [first, second] = await captioner.captions(line(1), beams);
  assertEquals([first.text, first.truncated, second.truncated], [texts[1], false, false]);
  assert(first.score! > second.score! && first.text !== second.text);
  assertEquals([first.ids.length, first.attention], [texts[1].length + 2, undefined]);
  const [[cut], [short]] = await captioner.captions([line(0), line(1)], { maxNewTokens: 12 });
  assertEquals([cut.text, cut.truncated, cut.score], ["undisputed m", true, undefined]);
  assertEquals([short.text, short.truncated, short.ids.length], [texts[1], false, 13]);
});

Deno.test("Captioner.caption() gives one text a picture, and says so where several are asked for", async () => {
  await using captioner = await Captioner.load(undefined, { backend });
  await assertRejects(
    () => captioner.caption(line(1), { numBeams: 2, numReturnSequences: 2 }),
    OptionError,
    "captions()",
  );
  captioner.model.generationConfig.num_beams = 2;
  captioner.model.generationConfig.num_return_sequences = 2;
  assertEquals(await captioner.caption([line(1)]), [texts[1]]);
});

Deno.test("Captioner.caption() takes a prompt for each picture or one for all, over all its batches", async () => {
  await using captioner = await Captioner.load(undefined, { backend: "ffi" });
  const picture = await readImage(line(1));
  const prompt = (text: string) => captioner.tokenizer.encode(text, { addSpecialTokens: false }).inputIds;
  const many = Array(9).fill(picture);
  const all = await captioner.caption(many, { decoderInputIds: [prompt("pl")] });
  assertEquals(all, Array(9).fill(texts[1]));
  const own = await captioner.caption(many, {
    decoderInputIds: many.map((_, i) => prompt(i < 8 ? "pl" : "xy")),
    maxNewTokens: 1,
  });
  assertEquals(own.map((text) => text.slice(0, 2)), [...Array(8).fill("pl"), "xy"]);
  await assertRejects(
    () => captioner.caption([picture, picture, picture], { decoderInputIds: [prompt("p"), prompt("p")] }),
    OptionError,
    "there are 3 pictures, but decoderInputIds has 2 rows",
  );
});

Deno.test("Captioner.captions() takes a start token for each picture, over all its batches", async () => {
  await using captioner = await Captioner.load(undefined, { backend: "ffi" });
  const many = Array(9).fill(await readImage(line(1)));
  const { decoder_start_token_id: start } = captioner.model.generationConfig;
  const starts = many.map((_, i) => i === 8 ? 7 : start as number);
  const captions = await captioner.captions(many, { decoderStartTokenId: starts, maxNewTokens: 2 });
  assertEquals(captions.map(([{ ids }]) => ids[0]), starts);
  await assertRejects(
    () => captioner.captions(many, { decoderStartTokenId: starts.slice(1) }),
    OptionError,
    "there are 9 pictures, but decoderStartTokenId has 8 ids",
  );
});

Deno.test("Captioner.captions() draws for a picture by the seed and its place, whatever the batches are", async () => {
  await using captioner = await Captioner.load(undefined, { backend: "ffi" });
  const picture = await readImage(line(1));
  const many = Array(18).fill(picture);
  for (const method of [{}, { numReturnSequences: 2 }, { numBeams: 2 }]) {
    const drawn = { doSample: true, temperature: 3, topK: 0, seed: 7, maxNewTokens: 8, ...method };
    const textsOf = async (pictures: unknown[], firstPicture?: number) => {
      const all = await captioner.captions(pictures as typeof many, { ...drawn, firstPicture });
      return all.map((captions) => captions.map(({ text }) => text).join("|"));
    };
    const all = await textsOf(many);
    // Beams find the same good texts again: as sequences of eight they differ.
    assertNotEquals(all.slice(0, 8), all.slice(8, 16));
    if (!("numBeams" in method)) assertEquals(new Set(all).size, 18);
    assertEquals(await textsOf(many), all);
    assertEquals(await textsOf(many.slice(0, 8)), all.slice(0, 8));
    assertEquals(await textsOf(many.slice(0, 11), 7), all.slice(7));
    if ("numBeams" in method || "numReturnSequences" in method) continue;
    const pieces = await Array.fromAsync(captioner.stream(picture, { ...drawn, firstPicture: 9 }));
    assertEquals(pieces.join(""), all[9]);
  }
});

Deno.test("Captioner.caption() reads the next pictures while it writes about these", async () => {
  await using captioner = await Captioner.load(undefined, { backend: "ffi" });
  const picture = await readImage(line(1));
  const events: string[] = [];
  class Watched extends Blob {
    override stream() {
      events.push("read");
      return super.stream();
    }
  }
  const last = new Watched([await Deno.readFile(line(1))]);
  const step = (_: unknown, logits: Float32Array) => {
    events.push("step");
    return logits;
  };
  const captions = await captioner.caption([...Array(8).fill(picture), last], { logitsProcessors: [step] });
  assertEquals(captions, Array(9).fill(texts[1]));
  assert(events.indexOf("read") < events.indexOf("step"), events.join());
});

Deno.test("Captioner.caption() names the picture of several that cannot be read", async () => {
  await using captioner = await Captioner.load(undefined, { backend });
  const bytes = await Deno.readFile(line(1));
  await assertRejects(() => captioner.caption([bytes, new Uint8Array([1, 2, 3])]), Error, "images[1]");
  await assertRejects(() => captioner.caption([line(1), "nowhere.png"]), HubError, "nowhere.png");
});

Deno.test("an abort does not wait for a picture that is slow to come", async () => {
  await using captioner = await Captioner.load(undefined, { backend, allowPrivateAddresses: true });
  await using server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, () => {
    return new Response(new ReadableStream({ start: (controller) => controller.enqueue(new Uint8Array(10)) }));
  });
  const { port } = server.addr as Deno.NetAddr;
  const signal = AbortSignal.timeout(50);
  await assertRejects(
    () => captioner.caption(`http://127.0.0.1:${port}/slow.png`, { signal }),
    DOMException,
    "timeout",
  );
  const stopped = AbortSignal.abort(new Error("no more"));
  await assertRejects(() => captioner.caption(line(1), { signal: stopped }), Error, "no more");
  await assertRejects(() => Captioner.load(undefined, { backend, signal: stopped }), Error, "no more");
  assertEquals(await captioner.caption(line(1)), texts[1]);
});

Deno.test("loading refuses options that do not exist or have no effect", async () => {
  const refused: [object, string][] = [
    [{ bakend: "ffi" }, `"bakend": it does not exist`],
    [{ revision: "main" }, `"revision": ${new URL("../../assets/model/", import.meta.url)} is not a name on the Hub`],
    [{ threads: 0 }, `"threads": it is 0`],
    [{ seed: 3 }, `"seed": it does not exist`],
  ];
  for (const [option, message] of refused) {
    await assertRejects(() => Captioner.load(undefined, { backend, ...option } as LoadOptions), OptionError, message);
  }
  for (const name of ["reference", "ffi"] as const) {
    await assertRejects(() => Captioner.load(undefined, { backend: name, dtype: "float16" }), BackendError, "float16");
  }
  const address = "http://127.0.0.1:9/model";
  await assertRejects(() => Captioner.load(address, { backend, localFilesOnly: true }), HubError, "localFilesOnly");
});

for (const name of testedBackends) {
  Deno.test(`loading onto ${name} tells how many bytes of weights were read`, async () => {
    const events: LoadProgress[] = [];
    await using _ = await Captioner.load(undefined, { backend: name, onProgress: (event) => void events.push(event) });
    assertEquals(events[0], { stage: "compiling", done: 0 });
    const reading = events.filter(({ stage }) => stage === "reading");
    const { size } = await Deno.stat(new URL("../../assets/model/model.safetensors", import.meta.url));
    assert(reading.every(({ total }) => total! > 0.9 * size && total! <= size));
    assert(reading.every(({ done }, i) => i === 0 ? done === 0 : done > reading[i - 1].done));
    assertEquals(reading.at(-1)!.done, reading[0].total);
  });
}
