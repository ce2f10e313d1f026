import { assertEquals } from "@std/assert";
import { AutoTokenizer, TextStreamer, type TextStreamerOptions } from "../../mod.ts";
import { cleanUp } from "../../src/tokenizer/pipeline/decoders.ts";

const tokenizers = new URL("../fixtures/tokenizers/", import.meta.url);

/** The pieces of tokens that come one at a time. */
async function piecesOf(
  tokenizer: { decode(ids: readonly number[]): string; cleansUpSpaces?: boolean },
  ids: readonly number[],
  options?: TextStreamerOptions,
): Promise<string[]> {
  const pieces: string[] = [];
  const streamer = new TextStreamer(tokenizer, (piece) => void pieces.push(piece), options);
  for (const id of ids) await streamer.put([[id]]);
  await streamer.end();
  return pieces;
}

/** A tokenizer whose tokens are bytes. */
const bytes = { decode: (ids: readonly number[]) => new TextDecoder().decode(Uint8Array.from(ids)) };
const bytesOf = (text: string) => [...new TextEncoder().encode(text)];

Deno.test("a text streamer waits for the last byte of a character", async () => {
  const text = "ä€😀 end";
  assertEquals(await piecesOf(bytes, bytesOf(text)), [...text]);
});

Deno.test("a text streamer gives the bytes of a character that stays unfinished at the end", async () => {
  assertEquals(await piecesOf(bytes, [...bytesOf("a"), 0xe2, 0x82]), ["a", "\uFFFD"]);
});

Deno.test("a text streamer keeps words whole, and characters where a script has no spaces", async () => {
  const whole = (text: string) => piecesOf(bytes, bytesOf(text), { wholeWords: true });
  assertEquals(await whole("ninth  century, Zen\nmaster"), ["ninth", "  century,", " Zen", "\nmaster"]);
  assertEquals(await whole("今日は a b"), ["今", "日", "は", " a", " b"]);
  assertEquals(await whole(""), []);
});

Deno.test("a text streamer begins with the prompt", async () => {
  assertEquals(await piecesOf(bytes, bytesOf("cd"), { prompt: bytesOf("ab") }), ["abc", "d"]);
});

Deno.test("a text streamer waits where clean-up may yet take a space out", async () => {
  const words = "is| |.| |do| |n| |'| |t| we| '|v|e| | a| n|o| '| |,".split("|");
  const decode = (ids: readonly number[]) => cleanUp(ids.map((id) => words[id]).join(""));
  const ids = words.map((_, id) => id);
  const pieces = await piecesOf({ decode, cleansUpSpaces: true }, ids);
  assertEquals(pieces, ["is", ".", " do", "n't", " we", "'ve", "  a", " no", " ',"]);
  assertEquals(pieces.join(""), decode(ids));
});

// The real vocabularies' files are not in the repository.
const stored = [...Deno.readDirSync(tokenizers)].filter(({ isDirectory, name }) =>
  isDirectory && !name.endsWith("_real")
);
for (const { name } of stored) {
  Deno.test(`the pieces of a text join to the text that ${name} decodes`, async () => {
    const tokenizer = await AutoTokenizer.fromPretrained(new URL(`${name}/`, tokenizers));
    const sentence = `The cat can't say "no", so it won't: isn't that odd? Größe, naïve 😀 12,5 % . `;
    for (const text of [sentence, sentence.repeat(12), "a"]) {
      const ids = tokenizer.encode(text).inputIds;
      const expected = tokenizer.decode(ids, { skipSpecialTokens: true });
      for (const wholeWords of [false, true]) {
        const pieces = await piecesOf(tokenizer, ids, { wholeWords });
        assertEquals(pieces.join(""), expected);
        assertEquals(pieces.some((piece) => piece === ""), false);
      }
    }
  });
}
