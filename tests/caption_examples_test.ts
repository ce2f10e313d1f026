import { assertEquals } from "@std/assert";
import { deno, root, texts } from "./caption_process.ts";

Deno.test("examples/read_line.ts prints the line", async () => {
  const { code, stdout, stderr } = await deno(["examples/read_line.ts"]);
  assertEquals([stdout, code], ["ninth century Zen master\n", 0], stderr);
});

Deno.test("examples/read_folder.ts prints an object for each picture of a folder", async () => {
  const { code, stdout, stderr } = await deno(["examples/read_folder.ts", `${root}assets/examples`]);
  assertEquals(code, 0, stderr);
  const objects = stdout.trimEnd().split("\n").map((line) => JSON.parse(line));
  const expected = Object.entries(texts).map(([path, text]) => ({ file: path.split("/").at(-1)!, text }));
  assertEquals(objects, expected.sort((a, b) => a.file < b.file ? -1 : 1));
});
