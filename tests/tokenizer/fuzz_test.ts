// Repositories of random make against what Python makes of them: those of a fuzz that cover the most in little space.
// scripts/tokenizer_fuzz made them.
import { assertEquals } from "@std/assert";
import { AutoTokenizer } from "../../src/tokenizer/mod.ts";

/** Texts of ids, with clean-up and all tokens, and without clean-up and special tokens. */
interface Decoded {
  ids: number[];
  decoded: [cleaned: string, withoutSpecial: string];
}

interface Case {
  /** Files by name: texts, or bytes as base64. */
  files: Record<string, string | { base64: string }>;
  expected: {
    size: number;
    roles: Record<string, number | null>;
    special: number[];
    rows: (Decoded & { text: string; plain: number[] })[];
    random: Decoded;
  };
}

const file = new URL("../fixtures/tokenizer_fuzz/cases.json", import.meta.url);
const cases: Record<string, Case> = JSON.parse(Deno.readTextFileSync(file));

/** A repository in memory. */
function repository(files: Case["files"]) {
  return {
    name: "memory",
    readText(name: string) {
      const content = files[name];
      return Promise.resolve(typeof content === "string" ? content : undefined);
    },
    readBytes(name: string) {
      const content = files[name];
      return Promise.resolve(typeof content === "object" ? Uint8Array.fromBase64(content.base64) : undefined);
    },
  };
}

for (const [name, { files, expected }] of Object.entries(cases)) {
  Deno.test(`the tokenizer of random make ${name} is as Python's`, async () => {
    const tokenizer = await AutoTokenizer.fromPretrained(repository(files));
    assertEquals(tokenizer.vocabularySize, expected.size);
    assertEquals(tokenizer.allSpecialIds, expected.special);
    for (const [role, id] of Object.entries(expected.roles)) {
      assertEquals((tokenizer as unknown as Record<string, number>)[`${role}TokenId`] ?? null, id, role);
    }
    for (const { text, ids, plain } of expected.rows) {
      assertEquals(tokenizer.encode(text).inputIds, ids, JSON.stringify(text));
      assertEquals(tokenizer.encode(text, { addSpecialTokens: false }).inputIds, plain, JSON.stringify(text));
    }
    for (const { ids, decoded } of [...expected.rows, expected.random]) {
      assertEquals(tokenizer.decode(ids, { cleanUpTokenizationSpaces: true }), decoded[0], `ids ${ids}`);
      const options = { skipSpecialTokens: true, cleanUpTokenizationSpaces: false };
      assertEquals(tokenizer.decode(ids, options), decoded[1], `ids ${ids}`);
    }
  });
}

Deno.test("halves of surrogate pairs are encoded as U+FFFD", async () => {
  const { files } = Object.values(cases)[0];
  const tokenizer = await AutoTokenizer.fromPretrained(repository(files));
  assertEquals(tokenizer.encode("a\ud800b").inputIds, tokenizer.encode("a\ufffdb").inputIds);
});
