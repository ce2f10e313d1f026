// Pictures that lie on their side, whatever says so, against Pillow (fixtures/field/orientation, made by
// scripts/make_orientation.py).
import { assert, assertEquals } from "@std/assert";
import { Captioner, readImage } from "../../mod.ts";

const folder = new URL("../fixtures/field/orientation/", import.meta.url);
const golden: Record<string, { size: number[]; rgb: number[] }> = JSON.parse(
  await Deno.readTextFile(new URL("golden.json", folder)),
);

for (const [name, { size, rgb }] of Object.entries(golden)) {
  Deno.test(`readImage() turns ${name} as Pillow`, async () => {
    const { width, height, data, channels } = await readImage(new URL(name, folder));
    assertEquals([width, height, channels], [...size, 3]);
    // Lossless pictures are equal; decoders of JPEG may differ by one.
    const most = name.endsWith("jpg") ? 1 : 0;
    assert(data.every((sample, i) => Math.abs(sample - rgb[i]) <= most), `${data} and not ${rgb}`);
  });
}

Deno.test("caption() reads a line that lies on its side by XMP only", async () => {
  await using captioner = await Captioner.load();
  assertEquals(await captioner.caption(new URL("lying_xmp.jpg", folder)), "ninth century Zen master");
});
