// The command, as a process: what it prints where, and how it ends.
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { caption, root, texts } from "./caption_process.ts";
import { testedBackends } from "./tested_backends.ts";

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

Deno.test("caption.ts --help answers in less than 0.3 s", async () => {
  let fastest = Infinity;
  for (let i = 0; i < 3; i++) {
    const began = performance.now();
    const { code, stdout } = await caption(["--help"]);
    fastest = Math.min(fastest, performance.now() - began);
    assertStringIncludes(stdout, "--max-new-tokens");
    assertEquals(code, 0);
  }
  assert(fastest < 300, `${fastest} ms`);
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
  const nothing = await caption([]);
  assertEquals([nothing.code, nothing.complaints[0]], [2, "caption: no picture was given"]);
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
    const command = `"$0" run -A --quiet caption.ts ${line} >/dev/full; echo "$?"`;
    const { stdout, stderr } = await new Deno.Command("bash", {
      args: ["-c", command, Deno.execPath()],
      cwd: root,
      stdin: "null",
    }).output();
    assertEquals(new TextDecoder().decode(stdout), "1\n");
    assertMatch(new TextDecoder().decode(stderr), /^caption: Could not write to standard output: [^\n]+\n$/);
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
  const began = performance.now();
  child.kill("SIGINT");
  const { code } = await child.status;
  const taken = performance.now() - began;
  while (!(await reader.read()).done);
  assertEquals(await new Response(child.stderr).text().then((text) => text.includes("    at ")), false);
  assertEquals(code, 130);
  assert(taken < 500, `${taken} ms`);
});

Deno.test({
  name: "caption.ts draws a progress bar on a terminal, and clears it",
  ignore: Deno.build.os !== "linux",
  async fn() {
    // `script` gives the command a terminal; its standard output goes to /dev/null, so that what is left is the bar.
    const many = Array.from({ length: 5 }, () => line).join(" ");
    const command = `'${Deno.execPath()}' run -A --quiet caption.ts --backend reference ${many} >/dev/null`;
    const { stdout } = await new Deno.Command("script", {
      args: ["-qec", command, "/dev/null"],
      cwd: root,
      stdin: "null",
    }).output();
    const drawn = new TextDecoder().decode(stdout);
    assertMatch(drawn, /reading \[=* *\] \d+\/5/);
    // What stays on the screen is what follows the last time a line was cleared.
    const left = drawn.slice(drawn.lastIndexOf("\x1b[2K") + 4);
    assertEquals(left.includes("reading"), false, JSON.stringify(left));
  },
});
