import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { HubError } from "../../../mod.ts";
import { picturesIn } from "../../../src/cli/fleet/folder_pictures.ts";
import { withFolderOf } from "../../folder_of_files.ts";

Deno.test("picturesIn() finds pictures by their endings in an order that does not change", async () => {
  const names = ["b.PNG", "a.jpeg", "é.tif", "z/1.webp", "z/10.gif", "z/2.bmp", "A/x.avif", "A/y/z.ppm", "notes.txt"];
  const files = Object.fromEntries([...names, ".hidden.png", ".git/a.png"].map((name) => [name, ""]));
  await withFolderOf({}, files, async (folder) => {
    await Deno.symlink(`${folder}/a.jpeg`, `${folder}/link.png`);
    await Deno.symlink(folder, `${folder}/circle`);
    await Deno.symlink(folder, `${folder}/circle.png`);
    await Deno.symlink(`${folder}/nowhere`, `${folder}/dangling.png`);
    const found = await Array.fromAsync(picturesIn(folder));
    assertEquals(found.map(({ file }) => file), [
      ...["a.jpeg", "b.PNG", "dangling.png", "link.png", "é.tif"],
      ...["A/x.avif", "A/y/z.ppm", "z/1.webp", "z/10.gif", "z/2.bmp"],
    ]);
  });
});

Deno.test("picturesIn() names a folder that cannot be read", async () => {
  await withFolderOf({}, { "file.png": "" }, async (folder) => {
    for (const [name, reason] of [["nowhere", "there is none"], ["file.png", "it is a file"]]) {
      const error = await assertRejects(() => Array.fromAsync(picturesIn(`${folder}/${name}`)), HubError);
      assertStringIncludes((error as Error).message, `${name}: ${reason}`);
    }
  });
});

Deno.test("picturesIn() goes on where a folder below cannot be read, and says why", async () => {
  await withFolderOf({}, { "a.png": "", "lost+found/b.png": "", "z/c.png": "" }, async (folder) => {
    const { readDir } = Deno;
    Deno.readDir = (path) => {
      if (String(path).endsWith("lost+found")) {
        throw new Deno.errors.PermissionDenied("Permission denied (os error 13)");
      }
      return readDir(path);
    };
    try {
      const found = await Array.fromAsync(picturesIn(folder));
      assertEquals(found.map(({ file }) => file), ["a.png", "lost+found/", "z/c.png"]);
      assertEquals(
        found.map(({ problem }) => problem?.message),
        [undefined, `Cannot read the folder ${folder}/lost+found: reading it is not permitted`, undefined],
      );
    } finally {
      Deno.readDir = readDir;
    }
  });
});
