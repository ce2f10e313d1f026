// Each component of the Rust tokenizers library in a small tokenizer of its own, against that library.
import { assertEquals, assertRejects } from "@std/assert";
import { FormatError } from "../../src/errors/mod.ts";
import { AutoTokenizer } from "../../src/tokenizer/mod.ts";

type Row = [text: string, ids: number[], decoded: string];

const file = new URL("../fixtures/tokenizer_components/components.json", import.meta.url);
const cases: Record<string, { tokenizer: object; rows: Row[] }> = JSON.parse(Deno.readTextFileSync(file));

/** A repository of a tokenizer.json alone. */
function repository(tokenizer: object) {
  const text = JSON.stringify(tokenizer);
  return { name: "memory", readText: (name: string) => Promise.resolve(name === "tokenizer.json" ? text : undefined) };
}

for (const [name, { tokenizer: definition, rows }] of Object.entries(cases)) {
  Deno.test(`a tokenizer with ${name} encodes and decodes as the Rust library`, async () => {
    const tokenizer = await AutoTokenizer.fromPretrained(repository(definition));
    for (const [text, ids, decoded] of rows) {
      assertEquals(tokenizer.encode(text).inputIds, ids, JSON.stringify(text));
      assertEquals(tokenizer.decode(ids, { skipSpecialTokens: true }), decoded, JSON.stringify(text));
    }
  });
}

Deno.test("a component that does not exist is refused by its name", async () => {
  const { tokenizer } = cases.whitespace;
  const files = repository({ ...tokenizer, pre_tokenizer: { type: "UnicodeScripts" } });
  await assertRejects(() => AutoTokenizer.fromPretrained(files), FormatError, "UnicodeScripts");
});
