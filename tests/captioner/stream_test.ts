import { assert, assertEquals, assertRejects } from "@std/assert";
import { type Caption, Captioner, HubError, loadBackend, OptionError } from "../../mod.ts";
import { takeTurn } from "../../src/async/delay.ts";

const line = new URL("../fixtures/lines/000.png", import.meta.url);
const other = new URL("../fixtures/lines/001.png", import.meta.url);
const texts = ["undisputed multiverses", "plug it in."];

async function collect(pieces: AsyncIterable<string>): Promise<string[]> {
  const collected: string[] = [];
  for await (const piece of pieces) collected.push(piece);
  return collected;
}

/**
 * Let whatever may run do so. The reference backend runs on this thread: turns of the event loop say how far it could get, however
 * busy the machine is, and a whole text takes some thirty.
 */
async function pause(): Promise<void> {
  for (let turn = 0; turn < 100; turn++) await takeTurn();
}

Deno.test("Captioner.stream() keeps words whole when asked", async () => {
  await using captioner = await Captioner.load(undefined, { backend: "reference" });
  assertEquals(await collect(captioner.stream(line, { wholeWords: true })), ["undisputed", " multiverses"]);
});

Deno.test("Captioner.stream() begins with the prompt, as the text of caption() does", async () => {
  await using captioner = await Captioner.load(undefined, { backend: "reference" });
  const decoderInputIds = [captioner.tokenizer.encode("und", { addSpecialTokens: false }).inputIds];
  const pieces = await collect(captioner.stream(line, { decoderInputIds }));
  assertEquals(pieces[0], "undi");
  assertEquals(pieces.join(""), await captioner.caption(line, { decoderInputIds }));
});

Deno.test("Captioner.stream() has the start and end tokens that caption() has, where these are not special", async () => {
  await using captioner = await Captioner.load(undefined, { backend: "reference" });
  const [start, end] = ["U", "s"].map((letter) => captioner.tokenizer.encode(letter, { addSpecialTokens: false }));
  const own = { decoderStartTokenId: start.inputIds[0], eosTokenId: end.inputIds[0], maxNewTokens: 30 };
  const prompt = captioner.tokenizer.encode("nd", { addSpecialTokens: false }).inputIds;
  for (const options of [own, { ...own, decoderInputIds: [prompt] }]) {
    const text = await captioner.caption(line, options);
    assert(text.startsWith("U") && text.endsWith("s"), text);
    assertEquals((await collect(captioner.stream(line, options))).join(""), text);
  }
});

Deno.test("Captioner.stream() returns the caption behind the last piece", async () => {
  await using captioner = await Captioner.load(undefined, { backend: "reference" });
  const pieces = captioner.stream(line, { maxNewTokens: 4 });
  let next = await pieces.next();
  while (!next.done) next = await pieces.next();
  const { text, ids, truncated }: Caption = next.value;
  assertEquals([text, ids.length, truncated], ["undi", 5, true]);
});

Deno.test("a slow reader of Captioner.stream() holds the generation back", async () => {
  await using backend = await loadBackend("reference");
  await using captioner = await Captioner.load(undefined, { backend });
  const pieces = captioner.stream(line);
  await pieces.next();
  await pause(); // what may still run has run: the piece behind the one that was taken
  const { runs } = backend.counters;
  await pause();
  assertEquals(backend.counters.runs, runs);
  await pieces.next();
  await pause();
  assert(backend.counters.runs > runs && backend.counters.runs <= runs + 4, `${backend.counters.runs} of ${runs}`);
  await pieces.return(undefined as never);
});

Deno.test("leaving the loop over Captioner.stream() stops the generation and frees its memory", async () => {
  await using backend = await loadBackend("reference");
  await using captioner = await Captioner.load(undefined, { backend });
  await captioner.caption(line);
  const { runs } = backend.counters;
  await captioner.caption(line);
  const whole = backend.counters.runs - runs;
  for await (const _ of captioner.stream(line)) break;
  const stopped = backend.counters.runs;
  assert(stopped - runs - whole < whole / 2, `${stopped - runs - whole} of ${whole} runs`);
  await pause();
  assertEquals(backend.counters.runs, stopped);
  assertEquals(await captioner.caption(other), texts[1]);
});

Deno.test("a loop over Captioner.stream() may read other pictures with the same model", async () => {
  await using captioner = await Captioner.load(undefined, { backend: "reference" });
  let streamed = "";
  let read = "";
  for await (const piece of captioner.stream(line)) {
    if (streamed === "") read = await captioner.caption(other);
    streamed += piece;
  }
  assertEquals([streamed, read], texts);
});

Deno.test("two streams of one model give each its text", async () => {
  await using captioner = await Captioner.load(undefined, { backend: "reference" });
  const pieces = await Promise.all([line, other].map((picture) => collect(captioner.stream(picture))));
  assertEquals(pieces.map((own) => own.join("")), texts);
});

Deno.test("Captioner.stream() throws once what went wrong, behind the pieces so far", async () => {
  await using captioner = await Captioner.load(undefined, { backend: "reference" });
  await assertRejects(() => captioner.stream("nowhere.png").next(), HubError, "nowhere.png");
  await assertRejects(() => captioner.stream(line, { numBeams: 2 }).next(), OptionError, "streamer");
  const stop = new AbortController();
  const pieces = captioner.stream(line, { signal: stop.signal });
  assertEquals(await pieces.next(), { value: "u", done: false });
  stop.abort(new Error("enough"));
  const failed = async () => {
    while (!(await pieces.next()).done);
  };
  await assertRejects(failed, Error, "enough");
  assertEquals(await pieces.next(), { value: undefined as never, done: true });
  const aborted = captioner.stream(line, { signal: stop.signal });
  await assertRejects(() => aborted.next(), Error, "enough");
});
