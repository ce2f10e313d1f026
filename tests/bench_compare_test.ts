import { assertEquals } from "@std/assert";
import { summarize, verdict } from "../bench/compare.ts";

Deno.test("bench/compare.ts calls a difference one only beyond the spread of both sides", () => {
  const before = summarize([10, 12, 11, 10, 11, 12, 11, 10, 90]);
  assertEquals(before, { median: 11, spread: 2 });
  assertEquals(summarize([3, 1]), { median: 2, spread: 1 });
  assertEquals(verdict(before, { median: 12.5, spread: 0 }), "within the spread");
  assertEquals(verdict(before, { median: 14, spread: 1 }), "worse");
  assertEquals(verdict(before, { median: 14, spread: 4 }), "within the spread");
  assertEquals(verdict(before, { median: 5, spread: 1 }), "better");
});
