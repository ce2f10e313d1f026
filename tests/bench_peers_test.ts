import { assertEquals, assertStringIncludes } from "@std/assert";
import { drawingOf, row, tableOf } from "../bench/peers/rows.ts";

Deno.test("row() says whether a figure meets its limit, as it is printed", () => {
  assertEquals(row("load", "x float32", 0.5004, "<= 0.5").met, true);
  assertEquals(row("load", "x float32", 0.51, "<= 0.5").met, false);
  assertEquals(row("pictures", "x PyTorch", 1.3, ">= 1.3").met, true);
  assertEquals(row("pictures", "x PyTorch", 1.2, ">= 1.3").met, false);
  assertEquals(row("encoder", "x float32", 2).met, undefined);
});

Deno.test("tableOf() and drawingOf() show each figure with its limit", () => {
  const rows = [row("a <b>", "x & y", 0.25, "<= 0.5"), row("c", "d", 4, ">= 2"), row("e", "f", 3)];
  assertEquals(tableOf(rows).split("\n")[0], "a <b>  0.25  x & y  <= 0.5  met");
  const drawing = drawingOf(rows);
  assertStringIncludes(drawing, "a &lt;b>, x &amp; y");
  // Half of the limit, and twice what is asked for: bars of the same length, half of the way to the line.
  assertEquals([...drawing.matchAll(/<rect x="\d+" y="\d+" width="([\d.]+)"/g)].map(([, width]) => width), [
    "65.0",
    "65.0",
  ]);
});
