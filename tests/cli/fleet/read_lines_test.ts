import { assertEquals } from "@std/assert";
import { type Line, readLines } from "../../../src/cli/fleet/read_lines.ts";
import fc from "fast-check";

async function linesOf(chunks: Iterable<Uint8Array>, most = 100): Promise<Line[]> {
  return await Array.fromAsync(readLines(ReadableStream.from(chunks), most));
}

const bytes = (text: string) => new TextEncoder().encode(text);

Deno.test("readLines() gives the lines of a stream, however it is cut into chunks", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.string({ unit: "grapheme", maxLength: 12 })), fc.nat(6), async (texts, size) => {
      const lines = texts.map((text) => text.replaceAll("\n", " ").replace(/^\ufeff+/, ""));
      const whole = bytes(lines.map((line) => line + "\n").join(""));
      const chunks: Uint8Array[] = [];
      for (let at = 0; at < whole.length; at += size + 1) chunks.push(whole.slice(at, at + size + 1));
      const found = await linesOf(chunks, 1000);
      assertEquals(found.map(({ text }) => text), lines);
      assertEquals(found.map(({ number, whole }) => [number, whole]), lines.map((_, i) => [i + 1, true]));
    }),
  );
});

Deno.test("readLines() says of the last line whether a line break ends it", async () => {
  assertEquals(await linesOf([bytes("ab\nc")]), [
    { number: 1, bytes: 2, whole: true, text: "ab" },
    { number: 2, bytes: 1, whole: false, text: "c" },
  ]);
  assertEquals(await linesOf([]), []);
});

Deno.test("readLines() names a line that is too long or no UTF-8, and reads those after it", async () => {
  const long = "x".repeat(101);
  const found = await linesOf([
    bytes(long.slice(0, 60)),
    bytes(long.slice(60) + "\nb\n"),
    Uint8Array.of(255, 10, 99, 10),
  ]);
  assertEquals(found, [
    { number: 1, bytes: 101, whole: true, problem: "too long" },
    { number: 2, bytes: 1, whole: true, text: "b" },
    { number: 3, bytes: 1, whole: true, text: "\ufffd", problem: "no UTF-8" },
    { number: 4, bytes: 1, whole: true, text: "c" },
  ]);
});
