import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { FormatError } from "../../../mod.ts";
import { isTable, readTable, writeTable } from "../../../src/cli/fleet/caption_table.ts";
import { withFolderOf } from "../../folder_of_files.ts";

const rows = [
  { file: "a.png", text: 'two\nlines, "quoted", 漢字', confidence: 0.25 },
  { file: "sub/b, c.png", text: "", confidence: 1, truncated: true, repetition: true },
  { file: "broken.png", error: { message: 'no "picture"', code: "picture" } },
  { file: "receipt.png", document: { total: "1,000", items: [{ n: "1" }] }, confidence: 0.5 },
];

for (const ending of ["csv", "parquet"]) {
  Deno.test(`writeTable() writes captions as ${ending}, which readTable() reads`, async () => {
    await withFolderOf({}, {}, async (folder) => {
      const path = `${folder}/out.${ending}`;
      await writeTable(path, ReadableStream.from(rows));
      assertEquals(await Array.fromAsync(readTable(path)), rows);
      // More than are written at a time.
      const many = Array.from(
        { length: 25_001 },
        (_, i) => ({ file: `${i}.png`, text: `text ${i}`, confidence: i / 3e4 }),
      );
      await writeTable(path, ReadableStream.from(many));
      assertEquals(await Array.fromAsync(readTable(path)), many);
      await writeTable(path, ReadableStream.from([]));
      assertEquals(await Array.fromAsync(readTable(path)), []);
      assertEquals([...Deno.readDirSync(folder)].map(({ name }) => name), [`out.${ending}`]);
    });
  });

  Deno.test(`readTable() names a ${ending} that is no table of captions`, async () => {
    const files = { "a.csv": "x,y\n1,2\n", "b.csv": '"open', "a.parquet": "PAR1", "b.parquet": "" };
    await withFolderOf({}, files, async (folder) => {
      for (const name of ["a", "b"]) {
        const path = `${folder}/${name}.${ending}`;
        const error = await assertRejects(() => Array.fromAsync(readTable(path)), FormatError);
        assertStringIncludes((error as Error).message, `Cannot go on with ${path}: `);
      }
    });
  });
}

Deno.test("isTable() goes by the ending", () => {
  assertEquals(["a.csv", "a.PARQUET", "a.jsonl", "csv"].map(isTable), [true, true, false, false]);
});
