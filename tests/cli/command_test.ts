// The command, as a process: what it prints where, and how it ends.
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { readImage } from "../../mod.ts";
import { caption, root, texts } from "./command_process.ts";
import { testedBackends } from "../backends/tested_backends.ts";

const line = "assets/examples/line.png";
const pictures = Object.keys(texts) as (keyof typeof texts)[];

for (const backend of testedBackends) {
  Deno.test(`caption.ts prints the text and nothing else with --backend ${backend}`, async () => {
    const { code, stdout, complaints } = await caption(["--backend", backend, line]);
    assertEquals(complaints, []);
    assertEquals(stdout, "ninth century Zen master\n");
    assertEquals(code, 0);
  });
}

Deno.test("caption.ts prints the texts of several pictures in the order given", async () => {
  const { code, stdout, complaints } = await caption(pictures);
  assertEquals(complaints, []);
  assertEquals(stdout, pictures.map((picture) => texts[picture] + "\n").join(""));
  assertEquals(code, 0);
});

Deno.test("caption.ts reads the remaining pictures where one cannot be read", async () => {
  const { code, stdout, complaints } = await caption(["nowhere.png", line, root, "assets/examples/date.png"]);
  assertEquals(stdout, "ninth century Zen master\n2/8/2021\n");
  assertEquals(complaints.length, 2, complaints.join("\n"));
  assertEquals(code, 1);
});

Deno.test("caption.ts reads standard input and prints objects with --json", async () => {
  const { code, stdout } = await caption(["--json", "-", "assets/examples/date.png"], {
    stdin: await Deno.readFile(root + line),
  });
  const objects = stdout.trimEnd().split("\n").map((text) => JSON.parse(text));
  assertEquals(objects.map(({ file, text }) => [file, text]), [
    ["-", "ninth century Zen master"],
    ["assets/examples/date.png", "2/8/2021"],
  ]);
  for (const { milliseconds } of objects) assert(milliseconds > 0 && milliseconds < 60_000, String(milliseconds));
  assertEquals(code, 0);
});

Deno.test("caption.ts says how sure the model is with --json, and marks words with --min-confidence", async () => {
  const unsure = "tests/fixtures/lines/017.png";
  const marked = await caption(["--min-confidence", "0.9", unsure, line]);
  assertEquals(marked.stdout, "CHERLEADERS(?) EXCELLENT NEGATING CONVULSE(?)\nninth century Zen master\n");
  const { stdout } = await caption(["--json", "--min-confidence", ".9", unsure, line]);
  const [first, second] = stdout.trimEnd().split("\n").map((text) => JSON.parse(text));
  assertEquals([first.unsure, second.unsure], [["CHERLEADERS", "CONVULSE"], []]);
  assertEquals([first.confidence, second.confidence].map((p) => Math.round(p * 100)), [63, 99]);
  assertEquals("repetition" in first, false);
});

Deno.test("caption.ts says where a text runs on in circles with --json", async () => {
  const folder = await Deno.makeTempDir();
  try {
    for await (const { name } of Deno.readDir(`${root}assets/model`)) {
      await Deno.copyFile(`${root}assets/model/${name}`, `${folder}/${name}`);
    }
    const settings = JSON.parse(await Deno.readTextFile(`${folder}/generation_config.json`));
    const endless = JSON.stringify({ ...settings, suppress_tokens: [settings.eos_token_id].flat() });
    await Deno.writeTextFile(`${folder}/generation_config.json`, endless);
    const { stdout } = await caption(["--json", "--model", folder, "tests/fixtures/lines/020.png"]);
    const { repetition, truncated } = JSON.parse(stdout);
    assertEquals([repetition, truncated], [true, true], stdout);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("caption.ts stops after --max-new-tokens", async () => {
  const { stdout } = await caption(["--max-new-tokens", "3", line]);
  assertEquals(stdout, "nin\n");
});

Deno.test("caption.ts searches with --beams, draws with --sample, and prints as it decides with --stream", async () => {
  const beams = await caption(["--beams", "3", line]);
  assertEquals([beams.stdout, beams.code], ["ninth century Zen master\n", 0]);
  const streamed = await caption(["--stream", ...pictures]);
  assertEquals([streamed.stdout, streamed.code], [pictures.map((picture) => texts[picture] + "\n").join(""), 0]);
  const drawn = await caption(["--sample", "--seed", "1", line]);
  assertEquals((await caption(["--sample", "--seed", "1", line])).stdout, drawn.stdout);
  assertEquals(drawn.code, 0);
});

Deno.test("caption.ts --sample draws for each picture by its place, as a folder and lines do", async () => {
  const folder = await Deno.makeTempDir({ prefix: "limner draws " });
  try {
    // Noise, of which the model is unsure.
    const noise = Uint8Array.from({ length: 3 * 64 * 16 }, (_, i) => (i * i * 2654435761) >>> 9);
    const files = ["1", "2", "3"].map((name) => `${folder}/${name}.ppm`);
    const file = new Blob(["P6 64 16 255\n", noise]);
    for (const path of files) await Deno.writeFile(path, file.stream());
    const asked = ["--sample", "--seed", "1", "--max-new-tokens", "8"];
    const [first] = (await caption([...asked, files[0]])).stdout.split("\n");
    const drawn = (await caption([...asked, ...files])).stdout.trimEnd().split("\n");
    assertEquals([drawn[0], new Set(drawn).size], [first, 3]);
    const written = `${folder}/texts.jsonl`;
    await caption([...asked, "--recursive", folder, "--output", written]);
    const stdin = new TextEncoder().encode(files.map((path, id) => JSON.stringify({ id, path })).join("\n"));
    for (const lines of [await Deno.readTextFile(written), (await caption(["worker", ...asked], { stdin })).stdout]) {
      assertEquals(lines.trimEnd().split("\n").map((line) => JSON.parse(line).text), drawn);
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("caption.ts --attention draws where the model looked, a file a picture", async () => {
  const folder = await Deno.makeTempDir({ prefix: "limner sheets " });
  try {
    const args = ["--backend", "reference", "--stream", "--max-new-tokens", "3", "--attention"];
    const one = await caption([...args, `${folder}/one.png`, line]);
    assertEquals([one.stdout, one.stderr, one.code], ["nin\n", "", 0]);
    const two = await caption([...args, `${folder}/two.png`, line, "nowhere.png", line]);
    assertEquals([two.stdout, two.complaints.length, two.code], ["nin\nnin\n", 1, 1]);
    const files = [...Deno.readDirSync(folder)].map(({ name }) => name);
    assertEquals(files.sort(), ["one.png", "two-1.png", "two-3.png"]);
    const { width, height } = await readImage(`${folder}/one.png`);
    assert(width > 500 && height > 50, `${width} x ${height}`);
    assertEquals(await Deno.readFile(`${folder}/two-3.png`), await Deno.readFile(`${folder}/one.png`));
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("caption.ts --attention says in one line where it cannot write, before it works", async () => {
  const folder = await Deno.makeTempDir({ prefix: "limner_sheets_" });
  try {
    await Deno.mkdir(`${folder}/folder.png`);
    await Deno.copyFile(root + line, `${folder}/picture.png`);
    const expected = {
      "nowhere/out.png": "there is no such folder",
      "folder.png": "it is a folder",
      "picture.png": "it is one of the pictures",
      "picture.png/out.png": "what should be its folder is a file",
    };
    for (const [file, reason] of Object.entries(expected)) {
      const { code, stdout, complaints } = await caption(["--attention", `${folder}/${file}`, `${folder}/picture.png`]);
      assertEquals([code, stdout, complaints.length], [1, "", 1], complaints.join("\n"));
      assertStringIncludes(complaints[0], `${folder}/${file}: ${reason}`);
    }
    assertEquals(await Deno.readFile(`${folder}/picture.png`), await Deno.readFile(root + line));
    // What an interrupt left of an earlier sheet is removed.
    await Deno.writeTextFile(`${folder}/.limner-01234567.tmp`, "half a sheet");
    assertEquals((await caption(["--attention", `${folder}/out.png`, `${folder}/picture.png`])).code, 0);
    assertEquals([...Deno.readDirSync(folder)].map(({ name }) => name).sort(), [
      "folder.png",
      "out.png",
      "picture.png",
    ]);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("caption.ts draws and reads with permission for its files alone", async () => {
  const folder = await Deno.makeTempDir({ prefix: "limner_sheets_" });
  try {
    const permissions = ["--allow-read", `--allow-write=${folder}`, "--no-prompt"];
    const { stdout, stderr, success } = await new Deno.Command(Deno.execPath(), {
      args: ["run", ...permissions, "caption.ts", "--backend", "reference", "--attention", `${folder}/a.png`, line],
      cwd: root,
      stdin: "null",
    }).output();
    assertEquals(new TextDecoder().decode(stdout), "ninth century Zen master\n");
    assertEquals([new TextDecoder().decode(stderr), success], ["", true]);
    assert((await Deno.stat(`${folder}/a.png`)).size > 10_000);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("caption.ts --model reads with the model of a folder", async () => {
  const { stdout, code } = await caption(["--model", "assets/model", line]);
  assertEquals([stdout, code], ["ninth century Zen master\n", 0]);
});

Deno.test("caption.ts --verbose says device, load and times on standard error", async () => {
  const { stdout, complaints } = await caption(["--verbose", "--backend", "reference", line]);
  assertEquals(stdout, "ninth century Zen master\n");
  assertMatch(complaints[0], /^device: reference, \S/);
  assertMatch(complaints[1], /^load: [\d.]+ ms$/);
  assertMatch(
    complaints[2],
    /^assets\/examples\/line\.png: [\d.]+ ms, encode [\d.]+ ms, decode \d+ tokens, [\d.]+ ms\/token$/,
  );
  assertEquals(complaints.length, 3);
});

Deno.test("caption.ts --help prints the options on standard output", async () => {
  for (const option of ["--help", "-h"]) {
    const { code, stdout, stderr } = await caption([option]);
    assertStringIncludes(stdout, "--max-new-tokens");
    assertEquals([code, stderr], [0, ""]);
  }
});

Deno.test("caption.ts --version prints the package's version", async () => {
  const { version } = JSON.parse(await Deno.readTextFile(root + "deno.json"));
  assertEquals((await caption(["--version"])).stdout, `limner ${version}\n`);
});

Deno.test("caption.ts ends with 2 and names what is wrong with the command line", async () => {
  const { code, stdout, complaints } = await caption(["--bakend", "ffi", "--max-new-tokens=-1", line]);
  assertEquals([code, stdout], [2, ""]);
  assertEquals(complaints, [
    "caption: there is no option --bakend; did you mean --backend?",
    "caption: option --max-new-tokens is -1, and a whole number from 1 was expected",
    "caption: --help lists what the command takes",
  ]);
  for (const [typed, meant] of [["serv", "serve"], ["Pull", "pull"], ["help", "--help"]]) {
    const { code, complaints } = await caption([typed, "--port", "8000"]);
    assertEquals([code, complaints[0]], [2, `caption: there is no picture ${typed}; did you mean ${meant}?`]);
  }
  const nothing = await caption([]);
  assertEquals([nothing.code, nothing.complaints[0]], [2, "caption: no picture was given"]);
});

Deno.test("caption.ts ends with 2 before the first picture where the model cannot do what the options say", async () => {
  const folder = await Deno.makeTempDir({ prefix: "limner_options_" });
  try {
    const output = `${folder}/texts.jsonl`;
    for (const what of [[line, line], ["--recursive", "assets/examples", "--output", output], ["worker"]]) {
      const stdin = new TextEncoder().encode(`{"id":1,"path":"${line}"}\n`);
      const { code, stdout, complaints } = await caption([...what, "--max-new-tokens", "100000"], { stdin });
      assertEquals([code, stdout, complaints.length], [2, "", 1], complaints.join("\n"));
      assertStringIncludes(complaints[0], "Cannot generate up to 100001 tokens (maxNewTokens");
    }
    assertEquals(await Deno.readTextFile(output), "");
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("caption.ts ends quietly where nobody reads its texts", async () => {
  const command = `"$0" run -A --quiet caption.ts ${pictures.join(" ")} | head -1; echo "\${PIPESTATUS[0]}"`;
  const { stdout, stderr } = await new Deno.Command("bash", {
    args: ["-c", command, Deno.execPath()],
    cwd: root,
    stdin: "null",
  }).output();
  assertEquals(new TextDecoder().decode(stdout), "ninth century Zen master\n0\n");
  assertEquals(new TextDecoder().decode(stderr), "");
});

Deno.test({
  name: "caption.ts says that it cannot write where the disk is full",
  ignore: Deno.build.os !== "linux",
  async fn() {
    for (const args of [line, `--stream ${line} ${line}`, "--help"]) {
      const command = `"$0" run -A --quiet caption.ts ${args} >/dev/full; echo "$?"`;
      const { stdout, stderr } = await new Deno.Command("bash", {
        args: ["-c", command, Deno.execPath()],
        cwd: root,
        stdin: "null",
      }).output();
      assertEquals(new TextDecoder().decode(stdout), "1\n");
      assertMatch(new TextDecoder().decode(stderr), /^caption: Cannot write to standard output: [^\n]+\n$/);
    }
  },
});

Deno.test("caption.ts stops at once when interrupted", async () => {
  const many = Array.from({ length: 200 }, () => line);
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--quiet", "caption.ts", "--backend", "reference", ...many],
    cwd: root,
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const reader = child.stdout.getReader();
  await reader.read();
  child.kill("SIGINT");
  const { code } = await child.status;
  let bytes = 0;
  for (let read = await reader.read(); !read.done; read = await reader.read()) bytes += read.value.length;
  assertEquals(await new Response(child.stderr).text().then((text) => text.includes("    at ")), false);
  assertEquals(code, 130);
  assert(bytes < many.length / 2 * texts[line].length, `${bytes} bytes`);
});

Deno.test({
  name: "caption.ts draws a progress bar on a terminal, and clears it",
  ignore: Deno.build.os !== "linux",
  async fn() {
    // `script` gives the command a terminal; its standard output goes to /dev/null, so that what is left is the bar.
    const many = Array.from({ length: 12 }, () => line).join(" ");
    const command = `'${Deno.execPath()}' run -A --quiet caption.ts --backend reference ${many} >/dev/null`;
    const { stdout } = await new Deno.Command("script", {
      args: ["-qec", command, "/dev/null"],
      cwd: root,
      stdin: "null",
    }).output();
    const drawn = new TextDecoder().decode(stdout);
    assertMatch(drawn, /reading \[=* *\] \d+\/12/);
    // What stays on the screen is what follows the last time a line was cleared.
    const left = drawn.slice(drawn.lastIndexOf("\x1b[2K") + 4);
    assertEquals(left.includes("reading"), false, JSON.stringify(left));
  },
});
