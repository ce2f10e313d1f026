// A folder of pictures, captioned by processes that are killed at any moment.
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { effort } from "../../effort.ts";
import { readTable } from "../../../src/cli/fleet/caption_table.ts";
import { caption, root, texts } from "../command_process.ts";

const pictures = Object.entries(texts);

interface Row {
  readonly file: string;
  readonly text?: string;
  readonly error?: { readonly code: string; readonly message: string };
}

/** A folder with pictures in subfolders. @returns The text of each file. */
async function makePictures(folder: string, count: number): Promise<Map<string, string>> {
  const expected = new Map<string, string>();
  for (let i = 0; i < count; i++) {
    const [path, text] = pictures[i % pictures.length];
    const file = `${["", "deep/er/", "other/"][i % 3]}${i}.png`;
    await Deno.mkdir(`${folder}/${file}`.replace(/[^/]*$/, ""), { recursive: true });
    await Deno.copyFile(root + path, `${folder}/${file}`);
    expected.set(file, text);
  }
  return expected;
}

async function withPictures(
  count: number,
  use: (folder: string, expected: Map<string, string>, output: (ending: string) => string) => Promise<void>,
): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "limner_folder_" });
  try {
    const expected = await makePictures(`${folder}/pictures`, count);
    await use(`${folder}/pictures`, expected, (ending) => `${folder}/out.${ending}`);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function rowsIn(path: string): Promise<Row[]> {
  return (await Deno.readTextFile(path)).trimEnd().split("\n").map((line) => JSON.parse(line));
}

function assertAllOnce(rows: readonly Row[], expected: ReadonlyMap<string, string>): void {
  assertEquals(rows.length, expected.size);
  assertEquals(new Map(rows.map(({ file, text }) => [file, text!])), new Map(expected));
}

/** Begin to read a folder, and kill the process some time after it has written a line. @returns How many lines there are. */
async function killAfter(milliseconds: number, args: readonly string[], log: string): Promise<number> {
  const sizeOf = () => Deno.stat(log).then(({ size }) => size, () => 0);
  const before = await sizeOf();
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--quiet", "caption.ts", ...args],
    ...{ cwd: root, stdin: "null", stdout: "null", stderr: "null" },
  }).spawn();
  let ended = false;
  const status = child.status.finally(() => ended = true);
  while (!ended && await sizeOf() === before) await new Promise((resolve) => setTimeout(resolve, 2));
  await new Promise((resolve) => setTimeout(resolve, milliseconds));
  if (!ended) child.kill("SIGKILL");
  await status;
  return (await Deno.readTextFile(log)).split("\n").length - 1;
}

Deno.test("caption.ts --recursive killed at any moment goes on, and each picture has one line", async () => {
  await withPictures(effort(60, 5000), async (folder, expected, output) => {
    const args = ["--recursive", folder, "--output", output("jsonl")];
    const seen: number[] = [];
    const kills = effort(3, 10);
    for (let i = 0; i < kills; i++) {
      seen.push(await killAfter(Math.random() * effort(200, 6000), args, output("jsonl")));
    }
    assert(seen.every((lines, i) => lines > (seen[i - 1] ?? 0) || lines === expected.size), seen.join());
    assert(seen[0] < expected.size, "the first was killed after its work");
    const { code, stdout, complaints } = await caption(args);
    assertEquals([code, stdout], [0, ""], complaints.join("\n"));
    assertAllOnce(await rowsIn(output("jsonl")), expected);
    assertStringIncludes((await caption(args)).stderr, `has all ${expected.size} pictures`);
  });
});

for (const ending of ["csv", "parquet"]) {
  Deno.test(`caption.ts --recursive writes ${ending}, also where it was killed, and goes on with it`, async () => {
    await withPictures(20, async (folder, expected, output) => {
      const args = ["--recursive", folder, "--output", output(ending)];
      await killAfter(0, args, `${output(ending)}.part.jsonl`);
      const { code, complaints } = await caption(args);
      assertEquals(code, 0, complaints.join("\n"));
      assertAllOnce(await Array.fromAsync(readTable(output(ending))) as Row[], expected);
      // A picture more, and one that is none.
      await Deno.copyFile(root + pictures[1][0], `${folder}/more.jpg`);
      await Deno.writeTextFile(`${folder}/none.png`, "none");
      await Deno.writeTextFile(`${folder}/notes.txt`, "no picture");
      const again = await caption(args);
      assertEquals(again.code, 1);
      assertStringIncludes(again.stderr, "20 pictures were read before");
      const rows = await Array.fromAsync(readTable(output(ending))) as Row[];
      assertEquals(rows.length, 22);
      assertEquals(rows.find(({ file }) => file === "more.jpg")?.text, pictures[1][1]);
      assertEquals(rows.find(({ file }) => file === "none.png")?.error?.code, "picture");
      assertEquals([...Deno.readDirSync(output("").replace(/[^/]*$/, ""))].length, 2);
    });
  });
}

Deno.test("caption.ts --recursive says where a folder has no picture", async () => {
  await withPictures(0, async (folder, _, output) => {
    await Deno.mkdir(folder);
    await Deno.writeTextFile(`${folder}/notes.txt`, "no picture");
    const { code, complaints } = await caption(["--recursive", folder, "--output", output("jsonl")]);
    assertEquals([code, complaints.length, await Deno.readTextFile(output("jsonl"))], [0, 1, ""]);
    assertStringIncludes(complaints[0], `${folder} has no picture: no file's name ends in .png, .jpg`);
  });
});

Deno.test({
  name:
    "caption.ts --recursive writes lines of JSON whatever files are called, and goes on after names that are no UTF-8",
  ignore: Deno.build.os !== "linux", // where a name may be any bytes
  fn: async () => {
    await withPictures(0, async (folder, _, output) => {
      const names = ["new\nline.png", 'quo"te\\\u0001.png', "\u2028 %41 ?#.png", "-dash.png"];
      await Deno.mkdir(folder);
      for (const name of names) await Deno.copyFile(root + pictures[0][0], `${folder}/${name}`);
      const make = "cp \"$0\" $'bad\\xff.png' && mkdir $'sub\\xfe' && cp \"$0\" $'sub\\xfe/a.png'";
      const bash = new Deno.Command("bash", { args: ["-c", make, root + pictures[0][0]], cwd: folder });
      assertEquals((await bash.output()).code, 0);
      assertEquals((await caption(["--recursive", folder, "--output", output("jsonl")])).code, 1);
      const rows = await rowsIn(output("jsonl"));
      assertEquals(rows.filter(({ text }) => text).map(({ file }) => file), names.sort());
      const refused = rows.filter(({ error }) => error);
      assertEquals(refused.map(({ file, error }) => [file, error?.code]), [
        ["bad\ufffd.png", "not-found"],
        ["sub\ufffd/", "not-found"],
      ]);
      for (const { error } of refused) {
        assertStringIncludes(error!.message, "its name is no UTF-8 and cannot be opened");
      }
    });
  },
});

Deno.test("caption.ts --recursive says how fast it was, and tries again what could not be read", async () => {
  await withPictures(5, async (folder, expected, output) => {
    const args = ["--recursive", `${folder}/`, "--output", output("jsonl")];
    await Deno.writeTextFile(`${folder}/late.png`, "not there yet");
    const first = await caption(args);
    assertEquals(first.code, 1);
    assertMatch(first.complaints[0], /^6 pictures in \d+ s, \d+\.\d a second$/);
    assertStringIncludes(first.complaints[1], "1 picture could not be read");
    await Deno.copyFile(root + pictures[0][0], `${folder}/late.png`);
    assertEquals((await caption(args)).code, 1, "what failed is done");
    assertEquals((await caption([...args, "--retry-failed"])).code, 0);
    assertAllOnce(await rowsIn(output("jsonl")), new Map([...expected, ["late.png", pictures[0][1]]]));
    const missing = await caption(["--recursive", `${folder}/nowhere`, "--output", output("csv")]);
    assertEquals(missing.code, 3);
    assertStringIncludes(missing.stderr, "pictures/nowhere: there is none");
  });
});
