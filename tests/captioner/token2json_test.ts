import { assert, assertEquals } from "@std/assert";
import { token2json } from "../../mod.ts";

const cases: readonly [string, unknown][] = [
  ["<s_name>John</s_name><s_age>30</s_age>", { name: "John", age: "30" }],
  [
    "<s_menu><s_nm>Tea</s_nm><s_cnt>1</s_cnt><sep/><s_nm>Cake</s_nm></s_menu>",
    { menu: [{ nm: "Tea", cnt: "1" }, { nm: "Cake" }] },
  ],
  ["<s_a>one<sep/>two</s_a>", { a: ["one", "two"] }],
  ["<s_a>1</s_a><sep/>", [{ a: "1" }]],
  ["<s_class><advertisement/></s_class>", { class: "advertisement" }],
  ["<s_open>x<s_b>1</s_b>", { b: "1" }],
  ["plain words", { text_sequence: "plain words" }],
];

for (const [text, expected] of cases) {
  Deno.test(`token2json() reads ${text}`, () => assertEquals<unknown>(token2json(text), expected));
}

Deno.test("token2json() gives what DonutProcessor gives, for malformed text too", async () => {
  const file = new URL("../fixtures/token2json.json", import.meta.url);
  const { added, cases } = JSON.parse(await Deno.readTextFile(file));
  for (const [text, expected] of cases) assertEquals<unknown>(token2json(text, { addedTokens: added }), expected, text);
  assert(cases.length >= 400);
});

Deno.test("token2json() keeps its time and the stack on long text", () => {
  const long = "<s_a>1</s_a><sep/>".repeat(3000);
  assertEquals((token2json(long) as unknown[]).length, 3000);
  assertEquals(token2json("<s_".repeat(20_000)), { text_sequence: "<s_".repeat(20_000) });
  assertEquals(token2json("<s_a>".repeat(5_000)), { text_sequence: "" });
});
