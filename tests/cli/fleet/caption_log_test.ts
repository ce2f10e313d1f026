import { assertEquals, assertRejects, assertStringIncludes, assertThrows } from "@std/assert";
import { LimnerError } from "../../../mod.ts";
import { CaptionLog, rewriteLog, rowsOf } from "../../../src/cli/fleet/caption_log.ts";
import { PendingFile } from "../../../src/hub/atomic_file.ts";
import { withFolderOf } from "../../folder_of_files.ts";

const whole = '{"file":"a.png","text":"é"}\n{"file":"b.png","error":{"message":"m","code":"picture"}}\n';

async function inFolder(content: string | Uint8Array, use: (path: string) => Promise<unknown>): Promise<void> {
  await withFolderOf({}, { "log.jsonl": content }, (folder) => use(`${folder}/log.jsonl`));
}

Deno.test("CaptionLog goes on after what is whole, wherever the last line was cut", async () => {
  const next = new TextEncoder().encode('{"file":"c.png","text":"ö"}\n');
  const earlier = new TextEncoder().encode(whole);
  for (let cut = 0; cut < next.length; cut++) {
    await inFolder(new Uint8Array([...earlier, ...next.subarray(0, cut)]), async (path) => {
      {
        using log = await CaptionLog.open(path);
        assertEquals([[...log.done], log.failed], [["a.png", "b.png"], 1]);
        log.append([{ file: "c.png", text: "ö" }]);
        await log.flush();
      }
      assertEquals(await Deno.readTextFile(path), `${whole}{"file":"c.png","text":"ö"}\n`);
    });
  }
});

Deno.test("CaptionLog refuses a file that is none, and leaves it as it is", async () => {
  const others = ["notes", "notes\n", "{}\n", '{"file":7}\n', `${whole}{"name"`, `${whole}\n`, `{"text":1}\n${whole}`];
  for (const content of [...others, Uint8Array.of(200, 201), Uint8Array.of(123, 34, 255)]) {
    await inFolder(content, async (path) => {
      const before = await Deno.readFile(path);
      const error = await assertRejects(() => CaptionLog.open(path), LimnerError);
      assertStringIncludes((error as Error).message, "log.jsonl: its line ");
      assertEquals(await Deno.readFile(path), before);
    });
  }
});

Deno.test("CaptionLog lets one process write at a time, and names a folder that is not there", async () => {
  await inFolder(whole, async (path) => {
    using _ = await CaptionLog.open(path);
    const error = await assertRejects(() => CaptionLog.open(path), LimnerError);
    assertStringIncludes((error as Error).message, "another process writes it");
    await assertRejects(() => CaptionLog.open(`${path}/nowhere/x.jsonl`), LimnerError);
  });
});

Deno.test("CaptionLog removes what a killed process left of a table, and not what another writes", async () => {
  await withFolderOf({}, { ".limner-01234567.tmp": "half", "log.jsonl": whole }, async (folder) => {
    using pending = await PendingFile.create(folder, "texts.csv");
    using _log = await CaptionLog.open(`${folder}/log.jsonl`);
    const names = [...Deno.readDirSync(folder)].map(({ name }) => name).sort();
    assertEquals(names, [pending.path.slice(folder.length + 1), "log.jsonl"]);
  });
});

Deno.test("CaptionLog names its file where it cannot be written", async () => {
  await inFolder(whole, async (path) => {
    const log = await CaptionLog.open(path);
    log[Symbol.dispose]();
    assertThrows(() => log.append([{ file: "c.png" }]), LimnerError, `Cannot write ${path}: `);
  });
});

Deno.test("rewriteLog() keeps the rows it is given", async () => {
  await inFolder(whole, async (path) => {
    const rows = await Array.fromAsync(rowsOf(path));
    await rewriteLog(path, ReadableStream.from(rows.slice(1).map(({ row }) => row)));
    assertEquals(await Deno.readTextFile(path), whole.split("\n")[1] + "\n");
  });
});
