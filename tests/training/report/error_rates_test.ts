import { assert, assertEquals, assertThrows } from "@std/assert";
import { editDistance } from "../../../src/training/report/edit_distance.ts";
import { errorRates } from "../../../src/training/report/error_rates.ts";
import { ShapeError } from "../../../mod.ts";

interface Case {
  readonly references: string[];
  readonly hypotheses: string[];
  readonly cer: number;
  readonly wer: number;
}

const cases: Case[] = JSON.parse(
  await Deno.readTextFile(new URL("../../fixtures/training/error_rates.json", import.meta.url)),
);

Deno.test("errorRates() has jiwer's character and word error rates", () => {
  for (const { references, hypotheses, cer, wer } of cases) {
    const found = errorRates(references, hypotheses);
    const name = JSON.stringify({ references, hypotheses, found, cer, wer });
    assert(Math.abs(found.characterErrorRate - cer) < 1e-12, name);
    assert(Math.abs(found.wordErrorRate - wer) < 1e-12, name);
  }
});

Deno.test("errorRates() counts over all texts together, and texts without an error", () => {
  const found = errorRates(["ab", "abcdef gh", "x "], ["ab", "abcdef gx", "x"]);
  assertEquals(found, { characterErrorRate: 1 / 12, wordErrorRate: 1 / 4, exactMatch: 2 / 3 });
  assertEquals(errorRates([""], [""]).characterErrorRate, 0);
  assertEquals(errorRates([""], ["a"]).wordErrorRate, Infinity);
  assertThrows(() => errorRates(["a"], []), ShapeError, "Cannot compare 0 texts with 1 right ones");
});

Deno.test("editDistance() is a distance: symmetric, 0 for equal lists alone, and the largest of both at most", () => {
  assertEquals(editDistance([..."kitten"], [..."sitting"]), 3);
  assertEquals(editDistance([..."flaw"], [..."lawn"]), 2);
  assertEquals(editDistance([], ["a", "b"]), 2);
  assertEquals(editDistance(["one", "two", "three"], ["one", "three"]), 1);
  for (const { references: [a], hypotheses: [b] } of cases) {
    const [left, right] = [Array.from(a), Array.from(b)];
    const found = editDistance(left, right);
    assertEquals(found, editDistance(right, left));
    assertEquals(found === 0, a === b);
    assert(found <= Math.max(left.length, right.length) && found >= Math.abs(left.length - right.length));
  }
});
