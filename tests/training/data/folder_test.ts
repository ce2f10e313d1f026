import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { FormatError, HubError, ImageTextDataset, OptionError } from "../../../mod.ts";
import { jsonLines, parts, tenRows, withFolder } from "./dataset_folder.ts";

const { tokenizer, processor } = await parts();
const read = (folder: string, more = {}) => ImageTextDataset.fromFolder(folder, { tokenizer, processor, ...more });
const csv = 'file_name,writer,text\r\n0.png,"Ann, ""A""","one, ""two""\nthree"\r\n1.png,Bo,007\n2.png,Cy, NA \n';

Deno.test("ImageTextDataset.fromFolder() reads metadata.jsonl, captions.jsonl and metadata.csv", async () => {
  for (const [file, text] of [["metadata.jsonl", "text"], ["captions.jsonl", "caption"]]) {
    const table = "\ufeff" + jsonLines(tenRows.map((row) => ({ file_name: row.file_name, [text]: row.text }))) + "\n";
    await withFolder({ [file]: table }, async (folder) => {
      const dataset = await read(folder);
      assertEquals([dataset.size, dataset.texts, dataset.broken], [10, tenRows.map((row) => row.text), []]);
      assertEquals(dataset.names[3], `3.png (${file}, line 4)`);
    });
  }
  await withFolder({ "metadata.csv": csv }, async (folder) => {
    assertEquals((await read(folder)).texts, ['one, "two"\nthree', "007", " NA "]);
    assertEquals((await read(new URL(`file://${folder}/`).href, { textColumn: "writer" })).texts, [
      'Ann, "A"',
      "Bo",
      "Cy",
    ]);
  });
});

Deno.test("ImageTextDataset.fromFolder() takes files of inner folders, and none outside", async () => {
  const picture = await Deno.readFile(new URL("../../../assets/examples/date.png", import.meta.url));
  const rows = [{ file_name: "in/a b.png", text: "a" }, { file_name: "../x.png", text: "b" }, {
    file_name: "https://example.org/a.png",
    text: "c",
  }, { file_name: "/etc/hostname", text: "d" }];
  await withFolder({ "metadata.jsonl": jsonLines(rows), "in/a b.png": picture }, async (folder) => {
    const dataset = await read(folder, { onBroken: "skip" });
    assertEquals(dataset.texts, ["a"]);
    assertEquals(dataset.broken.map(({ reason }) => reason), [
      "the name must lie inside the folder, parts joined by /",
      "the name must lie inside the folder, parts joined by /",
      "the name must lie inside the folder, parts joined by /",
    ]);
  });
});

Deno.test("ImageTextDataset.fromFolder() names what is missing, empty or no text, and skips it if asked", async () => {
  const rows = [
    ...tenRows.slice(0, 2),
    { file_name: "gone.png", text: "x" },
    { file_name: "2.png", text: "  " },
    { file_name: "3.png", text: null },
    { file_name: "4.png", text: 7 },
    { text: "x" },
    { file_name: "in", text: "x" },
  ];
  await withFolder({ "metadata.jsonl": jsonLines(rows), "in/note": "" }, async (folder) => {
    const dataset = await read(folder, { onBroken: "skip" });
    assertEquals(dataset.texts, ["t0", "t1x"]);
    assertEquals(dataset.broken.map(({ name, reason }) => `${name}: ${reason}`), [
      "gone.png (metadata.jsonl, line 3): there is no such file",
      "3.png (metadata.jsonl, line 5): its text is null, expected a text",
      "4.png (metadata.jsonl, line 6): its text is a number, expected a text",
      "metadata.jsonl, line 7: its file_name is missing",
      "in (metadata.jsonl, line 8): it is a folder, expected a picture",
      "2.png (metadata.jsonl, line 4): its text is empty",
    ]);
    const error = await assertRejects(() => read(folder), FormatError, "Cannot use 6 examples of");
    assertStringIncludes(error.message, "gone.png (metadata.jsonl, line 3): there is no such file");
    assertStringIncludes(error.message, '; and 1 more (onBroken: "skip", or --skip-broken, goes on without)');
  });
});

Deno.test("ImageTextDataset.fromFolder() says what a folder lacks", async () => {
  const table = jsonLines(tenRows);
  const refused: [Record<string, string>, string][] = [
    [{}, "it has no metadata.jsonl, captions.jsonl, metadata.csv, and one of them was expected"],
    [{ "train/metadata.csv": csv }, "a part such as train/ may have one"],
    [{ "metadata.jsonl": table, "metadata.csv": csv }, "it has metadata.jsonl and metadata.csv"],
    [{ "metadata.parquet": "PAR1" }, "write it as metadata.jsonl or metadata.csv"],
    [
      { "metadata.jsonl": jsonLines([{ file_name: "0.png", words: "a" }]) },
      "it has file_name, words (option textColumn",
    ],
    [{ "metadata.jsonl": jsonLines([{ picture: "0.png", text: "a" }]) }, "(option imageColumn names the right one)"],
  ];
  for (const [files, message] of refused) {
    await withFolder(files, (folder) => assertRejects(() => read(folder), OptionError, message));
  }
  await withFolder({ "metadata.jsonl": table }, async (folder) => {
    await assertRejects(() => read(folder, { textColumn: "words" }), OptionError, "it has no column words");
    await assertRejects(() => read(`${folder}/no`), HubError, "there is no such folder");
    await assertRejects(() => read(`${folder}/0.png`), HubError, "it is a file");
  });
});

Deno.test("ImageTextDataset.fromFolder() names the line of a malformed table", async () => {
  const refused: [Record<string, string | Uint8Array>, string][] = [
    [{ "metadata.jsonl": `${JSON.stringify(tenRows[0])}\n{"file_name":\n` }, "metadata.jsonl, line 2: it is not JSON"],
    [{ "metadata.jsonl": `["0.png", "a"]\n` }, "line 1: it is a list, and a JSON object was expected"],
    [{ "metadata.jsonl": "\n" }, "it lists no picture"],
    [{ "metadata.csv": "file_name,text\n" }, "it lists no picture"],
    [{ "metadata.csv": "file_name,text\n0.png,a,b\n" }, "on line 2"],
    [{ "metadata.csv": 'file_name,text\n0.png,"a\n' }, "Quote Not Closed"],
    [{ "metadata.csv": new Uint8Array([0x66, 0xff, 0x0a]) }, "it is not UTF-8"],
  ];
  for (const [files, message] of refused) {
    await withFolder(files, (folder) => assertRejects(() => read(folder), FormatError, message));
  }
});
