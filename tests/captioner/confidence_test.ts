// How sure the model was of a text, its words and its tokens.
import { assert, assertAlmostEquals, assertEquals } from "@std/assert";
import { AutoTokenizer, type Caption, Captioner, readImage, type WrittenToken } from "../../mod.ts";
import { confidenceOf } from "../../src/captioner/confidence.ts";
import { isRepeating } from "../../src/captioner/repetition.ts";

const fixtures = new URL("../fixtures/", import.meta.url);
const line = (file: string) => new URL(`lines/${file}`, fixtures);

/** A tokenizer whose tokens are texts; `<s>` and `</s>` are special. */
function tokenizerOf(tokens: readonly string[]) {
  const isShown = (token: string, skips = false) => !skips || !/^<\/?s>$/.test(token);
  return {
    decode: (ids: readonly number[], { skipSpecialTokens }: { skipSpecialTokens?: boolean } = {}) =>
      ids.map((id) => tokens[id]).filter((token) => isShown(token, skipSpecialTokens)).join(""),
  };
}

/** The words of tokens, of which the model is as sure as the numbers beside them say. */
function wordsOf(given: readonly (readonly [string, number])[], skipSpecialTokens = true) {
  const { words, confidence } = confidenceOf({
    tokenizer: tokenizerOf(given.map(([token]) => token)),
    before: [],
    ids: [...given.keys()],
    decoded: given.length,
    confidences: given.map(([, p]) => p),
    skipSpecialTokens,
  });
  return { words: words.map(({ text, confidence }) => [text, confidence]), confidence };
}

Deno.test("a word is as sure as its tokens together, and a text as its least sure word", () => {
  const given = [["<s>", 0.25], [" nin", 0.5], ["th", 0.5], [" ", 0.25], ["Zen", 0.75], ["</s>", 0.25]] as const;
  assertEquals(wordsOf(given), { words: [["ninth", 0.25], ["Zen", 0.75]], confidence: 0.25 });
  // A token that ends one word and begins another is both words'.
  assertEquals(wordsOf([["a", 0.5], ["b c", 0.5], ["d", 0.25]]).words, [["ab", 0.25], ["cd", 0.125]]);
  assertEquals(wordsOf([["a\n", 0.5], ["\nb", 0.25]]).words, [["a", 0.5], ["b", 0.25]]);
});

Deno.test("a text without words is as sure as its tokens together", () => {
  assertEquals(wordsOf([]), { words: [], confidence: 1 });
  assertEquals(wordsOf([["</s>", 0.75]]), { words: [], confidence: 0.75 });
  assertEquals(wordsOf([[" ", 0.5], ["</s>", 0.5]]), { words: [], confidence: 0.25 });
});

Deno.test("a token is a word where a script has no spaces, and so is a tag", () => {
  const mixed = [["東京", 0.5], ["タワー", 0.25], ["。", 0.75], [" A", 0.5], ["社", 0.5]] as const;
  const words = [["東京", 0.5], ["タワー", 0.25], ["。", 0.75], ["A", 0.5], ["社", 0.5]];
  assertEquals(wordsOf(mixed), { words, confidence: 0.25 });
  const document = [["<s_total>", 0.5], ["12", 0.75], [".5", 0.5], ["</s_total>", 0.25], ["</s>", 0.5]] as const;
  assertEquals(wordsOf(document).words, [["<s_total>", 0.5], ["12.5", 0.375], ["</s_total>", 0.25]]);
  assertEquals(wordsOf(document, false).words.at(-1), ["</s>", 0.5]);
});

Deno.test("a character whose bytes come in several tokens is as sure as these together", () => {
  const bytes = [...new TextEncoder().encode("ä 東")];
  const { tokens, words } = confidenceOf({
    tokenizer: { decode: (ids: readonly number[]) => new TextDecoder().decode(Uint8Array.from(ids)) },
    before: [],
    ids: bytes,
    decoded: bytes.length,
    confidences: bytes.map(() => 0.5),
    skipSpecialTokens: true,
  });
  assertEquals(tokens.map(({ text }) => text), ["", "ä", " ", "", "", "東"]);
  assertEquals(words, [{ text: "ä", confidence: 0.25 }, { text: "東", confidence: 0.125 }]);
});

const stored = [...Deno.readDirSync(new URL("tokenizers/", fixtures))]
  .filter(({ isDirectory, name }) => isDirectory && !name.endsWith("_real"));
Deno.test("the texts of tokens join to the text, and words are what stands between its spaces", async () => {
  for (const { name } of stored) {
    const tokenizer = await AutoTokenizer.fromPretrained(new URL(`tokenizers/${name}/`, fixtures));
    const sentence = `The cat can't say "no", so it won't: isn't that odd? Größe, naïve 12,5 % . `;
    const { inputIds } = tokenizer.encode(sentence.repeat(3));
    for (const skipSpecialTokens of [true, false]) {
      const [before, ids] = [inputIds.slice(0, 3), inputIds.slice(3)];
      const confidences = ids.map(() => 0.5);
      const given = { tokenizer, before, ids, decoded: ids.length, confidences, skipSpecialTokens };
      const { tokens, words } = confidenceOf(given);
      const text = tokenizer.decode(inputIds, { skipSpecialTokens });
      const written = tokens.map(({ text }) => text).join("");
      assert(text.endsWith(written) && written.length > text.length - 20, `${name}: ${written}, not ${text}`);
      if (skipSpecialTokens) assertEquals(words.map(({ text }) => text), written.trim().split(/\s+/), name);
    }
  }
});

Deno.test("a text runs on in circles where its end comes four times, over eight tokens or more", () => {
  assert(isRepeating([5, 1, 1, 1, 1, 1, 1, 1, 1]));
  assert(isRepeating([7, 8, 1, 2, 3, 1, 2, 3, 1, 2, 3, 1, 2, 3]));
  assert(isRepeating([1, 2, 1, 2, 1, 2, 1, 2, 1]), "the last turn need not be whole");
  assert(!isRepeating([5, 1, 1, 1, 1, 1, 1, 1]));
  assert(!isRepeating([1, 2, 3, 1, 2, 3, 1, 2, 3]));
  assert(!isRepeating([1, 1, 1, 1, 1, 1, 1, 1, 2]), "it is not the end");
  assert(!isRepeating([]));
});

const product = (tokens: readonly WrittenToken[]) => tokens.reduce((p, { confidence }) => p * confidence, 1);

Deno.test("captions() and stream() say how sure the model was, as generate() does", async () => {
  await using captioner = await Captioner.load(undefined, { backend: "ffi" });
  const { pixelValues } = captioner.processor(await readImage(line("017.png")));
  const { confidences: [confidences] } = await captioner.model.generate(pixelValues, {
    outputConfidences: true,
  }) as { confidences: number[][] };
  const [caption] = await captioner.captions(line("017.png"));
  assertEquals(caption.tokens.map(({ confidence }) => confidence), confidences);
  assertEquals(caption.tokens.map(({ id }) => id), caption.ids.slice(1));
  assertEquals(caption.tokens.map(({ text }) => text).join(""), caption.text);
  assertEquals(caption.words.map(({ text }) => text), caption.text.split(" "));
  assertEquals(caption.confidence, Math.min(...caption.words.map(({ confidence }) => confidence)));
  // It reads "CHERLEADERS" for CHEERLEADERS.
  assertEquals(caption.words.map(({ confidence }) => confidence < 0.9), [true, false, false, true]);
  assertAlmostEquals(caption.words[0].confidence, product(caption.tokens.slice(0, 11)), 1e-12);
  const pieces = captioner.stream(line("017.png"));
  let next = await pieces.next();
  while (!next.done) next = await pieces.next();
  assertEquals(next.value as Caption, caption);
});

Deno.test("captions() says how sure the model was of each beam, and of what follows a prompt", async () => {
  await using captioner = await Captioner.load(undefined, { backend: "ffi" });
  const beams = await captioner.captions(line("017.png"), { numBeams: 3, numReturnSequences: 3 });
  assertEquals(beams.length, 3);
  for (const { tokens, text, score } of beams) {
    assertEquals(tokens.map(({ text }) => text).join(""), text);
    assertAlmostEquals(Math.log(product(tokens)) / tokens.length, score!, 1e-4);
  }
  const decoderInputIds = [captioner.tokenizer.encode("und", { addSpecialTokens: false }).inputIds];
  const [whole] = await captioner.captions(line("000.png"), { decoderInputIds });
  const [rest] = await captioner.captions(line("000.png"), { prompt: "und" });
  assertEquals([whole.text, rest.text], ["undisputed multiverses", "isputed multiverses"]);
  assertEquals(whole.words, rest.words);
  assertEquals(whole.words.map(({ text }) => text), ["isputed", "multiverses"]);
});

Deno.test("captions() says where a text runs on in circles", async () => {
  await using captioner = await Captioner.load(undefined, { backend: "ffi" });
  const suppressTokens = [captioner.tokenizer.eosTokenId!];
  const [circling] = await captioner.captions(line("020.png"), { suppressTokens });
  assertEquals([circling.repetition, circling.truncated], [true, true], circling.text);
  const [plain] = await captioner.captions(line("020.png"));
  assertEquals(plain.repetition, false);
});
