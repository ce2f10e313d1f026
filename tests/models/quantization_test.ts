// docs/quantisation.md has the table that the code follows.
import { assert } from "@std/assert";
import { quantizationRules } from "../../src/models/quantization.ts";
import { root } from "../cli/command_process.ts";

Deno.test("docs/quantisation.md says what is quantised as the code does it", async () => {
  const text = await Deno.readTextFile(`${root}/docs/quantisation.md`);
  const rows = text.split("\n").filter((line) => line.startsWith("|")).map((line) =>
    line.split("|").map((cell) => cell.trim()).filter((cell) => cell !== "").join(" | ")
  );
  for (const { what, bits, reason } of Object.values(quantizationRules)) {
    const held = (["q8", "q4"] as const).map((storage) => bits[storage] ? `${bits[storage]} bits` : "float32");
    const row = [what, ...held, reason].join(" | ");
    assert(rows.includes(row), row);
  }
});
