// postProcessGeneration() against Python's NougatTokenizer.post_process_generation (fixtures/nougat.json, made by
// scripts/make_nougat.py).
import { assert, assertEquals } from "@std/assert";
import { postProcessGeneration } from "../../mod.ts";
import { processorTime } from "../process_cost.ts";

const pages: [text: string, plain: string, fixed: string | null][] = JSON.parse(
  Deno.readTextFileSync(new URL("../fixtures/nougat.json", import.meta.url)),
);

Deno.test("postProcessGeneration() mends Nougat's pages as Python does", () => {
  for (const [text, plain, fixed] of pages) {
    assertEquals(postProcessGeneration(text, { fixMarkdown: false }), plain, JSON.stringify(text));
    assertEquals(postProcessGeneration(text), fixed ?? plain, JSON.stringify(text));
  }
});

Deno.test("postProcessGeneration() is not held up by pages that patterns backtrack on", () => {
  const before = processorTime();
  const pages = ["ab".repeat(8000), "* ".repeat(8000), "http://a.".repeat(2000), "# ".repeat(8000), "\\[".repeat(8000)];
  for (const page of [...pages, "```".repeat(4000), "_a_".repeat(4000), "[FOOTNOTE:".repeat(1500)]) {
    postProcessGeneration(page);
  }
  const taken = processorTime() - before;
  assert(taken < 20_000, `${taken} ms of the processor`);
});
