// A scan of several pages through the captioner and the command (fixtures/images/scans/lines.tif, made by
// scripts/make_scans.py of the examples).
import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { Captioner, OptionError, readImage } from "../../mod.ts";
import { deno } from "../cli/command_process.ts";

const scan = new URL("../fixtures/images/scans/lines.tif", import.meta.url);
const [line, date] = ["line", "date"].map((name) => new URL(`../../assets/examples/${name}.png`, import.meta.url));

Deno.test("caption(), stream() and document() read the page that is asked for", async () => {
  await using captioner = await Captioner.load();
  const [first, second] = await captioner.caption([line, date]);
  assertEquals(await captioner.caption([scan, scan]), [first, first]);
  assertEquals(await captioner.caption(scan, { page: 2 }), second);
  let text = "";
  for await (const piece of captioner.stream(scan, { page: 2 })) text += piece;
  assertEquals(text, second);
  await assertRejects(() => captioner.caption(scan, { page: 3 }), Error, "page 3 was asked for, and it has 2");
  const pixels = await readImage(line);
  const { message } = await assertRejects(() => captioner.caption(pixels, { page: 2 }), OptionError);
  assertEquals(message, "Cannot read page 2 of a picture: it is a RawImage, expected a TIFF's file");
});

Deno.test("--page reads a page of a TIFF, and says what it is for", async () => {
  const path = decodeURIComponent(scan.pathname);
  const [read, wrong] = await Promise.all(["2", "0"].map((page) => deno(["caption.ts", "--page", page, path])));
  assertEquals([read.code, wrong.code], [0, 2]);
  await using captioner = await Captioner.load();
  assertEquals(read.stdout.trim(), await captioner.caption(date));
  assertStringIncludes(wrong.stderr, "--page");
});
