// What examples/deploy does, without a container: its steps in an empty cache, and then reading without a network.
import { assert, assertEquals } from "@std/assert";
import { readTable } from "../../src/cli/fleet/caption_table.ts";
import { isLong } from "../effort.ts";
import { deno, execute, root, texts } from "../cli/command_process.ts";
import { inFolder } from "../served_project.ts";

const dockerfile = await Deno.readTextFile(`${root}examples/deploy/Dockerfile`);

/** A folder with what the image gets, by the lines that copy. */
async function copyOfImage(folder: string): Promise<void> {
  for (const [, sources, target] of dockerfile.matchAll(/^COPY (.+) (\S+)$/gm)) {
    for (const source of sources.split(" ")) {
      const into = `${folder}/${target.replace(/^\.\//, "")}`.replace(/[^/]*$/, "");
      await Deno.mkdir(into, { recursive: true });
      assertEquals((await execute("cp", ["-r", root + source, into])).code, 0, source);
    }
  }
}

/** ONNX Runtime is 290 MB, which only the long form fetches. */
const backend = isLong ? "ffi" : "reference";

Deno.test("the image of examples/deploy reads pictures of every format, and writes tables, with what is cached", async () => {
  await inFolder(async (folder) => {
    const env = { DENO_DIR: `${folder}/cache` };
    const image = `${folder}/limner`;
    await copyOfImage(image);
    const [, packages, read] = /RUN deno run -A (\S+) .*?deno run -A (caption\.ts .*?) \\/s.exec(dockerfile)!;
    const fetched = await deno([packages], { cwd: image, env });
    assertEquals(fetched.code, 0, fetched.stderr);
    const first = await deno(read.replace("ffi", backend).split(" "), { cwd: image, env });
    assertEquals([first.stdout, first.code], [texts["assets/examples/line.png"] + "\n", 0], first.stderr);
    const formats = ["optimised.jpg", "lossy.webp", "palette.gif"].map((name) => `formats/${name}`);
    const pictures = [...formats, "scans/lines.tif", "scans/bytes.ppm"].map((name) => `tests/fixtures/images/${name}`);
    const command = ["--cached-only", "caption.ts", "--backend", backend, "--max-new-tokens", "2"];
    const all = await deno([...command, ...pictures.map((name) => root + name)], { cwd: image, env });
    assertEquals([all.code, all.stdout.split("\n").length - 1], [0, pictures.length], all.stderr);
    for (const ending of ["csv", "parquet"]) {
      const output = `${folder}/out.${ending}`;
      const args = [...command, "--recursive", "assets/examples", "--output", output];
      const { code, stderr } = await deno(args, { cwd: image, env });
      assertEquals(code, 0, stderr);
      assertEquals((await Array.fromAsync(readTable(output))).length, 4);
    }
  });
});

Deno.test("the unit of examples/deploy runs the command with options that it takes", async () => {
  const unit = await Deno.readTextFile(`${root}examples/deploy/limner-folder.service`);
  const [, args] = /^ExecStart=\S+deno run -A --quiet \S+caption\.ts (.*)$/m.exec(unit)!;
  const { parseOptions } = await import("../../src/cli/options.ts");
  assertEquals(parseOptions(args.split(" ")).problems, []);
  assert((await Deno.readTextFile(`${root}examples/deploy/limner-folder.timer`)).includes("OnUnitInactiveSec="));
});
