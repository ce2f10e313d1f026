// Pictures that are large enough for workers, through the command and through Captioner.
import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { Captioner, encodePng, FormatError, readImage, resize } from "../../mod.ts";
import { caption, root, texts } from "../cli/command_process.ts";

const lines = Object.keys(texts) as (keyof typeof texts)[];
const expected = lines.map((line) => texts[line]);

/** The example lines, each with three million pixels. */
const large = await Promise.all(lines.map(async (line) => {
  const image = (await readImage(root + line)).toRgb();
  const factor = Math.sqrt(3e6 / (image.width * image.height));
  return await encodePng(resize(image, Math.round(image.width * factor), Math.round(image.height * factor), 3));
}));

Deno.test("caption.ts reads large pictures in the order given, and those after one that is broken", async () => {
  const folder = await Deno.makeTempDir({ prefix: "limner_large_" });
  try {
    const files = large.map((_, i) => `${folder}/${i}.png`);
    for (const [i, bytes] of large.entries()) await Deno.writeFile(files[i], bytes);
    const broken = `${folder}/broken.png`;
    const bytes = large[0].slice();
    bytes.fill(0x55, bytes.length / 2, bytes.length - 16);
    await Deno.writeFile(broken, bytes);
    const { code, stdout, complaints } = await caption([...files.slice(0, 2), broken, ...files.slice(2)]);
    assertEquals([stdout, code, complaints.length], [expected.map((text) => text + "\n").join(""), 1, 1]);
    assertStringIncludes(complaints[0], broken);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("Captioner reads large pictures as it does their pixels, draws on the whole ones, and names a broken one", async () => {
  await using captioner = await Captioner.load(undefined, { backend: "ffi" });
  assertEquals(await captioner.caption(large), expected);
  const whole = await readImage(large[0]);
  const [{ text, attention }] = await captioner.captions(large[0], { outputAttentions: true });
  assertEquals([text, attention!.picture.width], [expected[0], whole.width]);
  const pieces = await Array.fromAsync(captioner.stream(large[1]));
  assertEquals(pieces.join(""), expected[1]);
  const broken = large[0].slice();
  broken.fill(0x55, broken.length / 2, broken.length - 16);
  await assertRejects(() => captioner.caption([large[1], broken, large[2]]), FormatError, "images[1]");
  assertEquals(await captioner.caption(large.slice(2)), expected.slice(2));
});
