import { assertEquals } from "@std/assert";
import { token2json } from "../mod.ts";

const cases: readonly [string, unknown][] = [
  ["<s_name>John</s_name><s_age>30</s_age>", { name: "John", age: "30" }],
  [
    "<s_menu><s_nm>Tea</s_nm><s_cnt>1</s_cnt><sep/><s_nm>Cake</s_nm></s_menu>",
    { menu: [{ nm: "Tea", cnt: "1" }, { nm: "Cake" }] },
  ],
  ["<s_a>one<sep/>two</s_a>", { a: ["one", "two"] }],
  ["<s_class><advertisement/></s_class>", { class: "advertisement" }],
  ["<s_open>x<s_b>1</s_b>", { b: "1" }],
  ["plain words", { text_sequence: "plain words" }],
];

for (const [text, expected] of cases) {
  Deno.test(`token2json() reads ${text}`, () => assertEquals<unknown>(token2json(text), expected));
}
