import { assertEquals } from "@std/assert";
import { readImage } from "../../mod.ts";
import { deno, root, texts } from "./command_process.ts";

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

Deno.test("examples/stream_text.ts prints the text", async () => {
  const { code, stdout, stderr } = await deno(["examples/stream_text.ts"]);
  assertEquals([stdout, code], ["ninth century Zen master\n", 0], stderr);
});

Deno.test("examples/draw_attention.ts draws a picture", async () => {
  const folder = await Deno.makeTempDir({ prefix: "limner_example_" });
  try {
    const out = `${folder}/out.png`;
    const { code, stdout, stderr } = await deno(["examples/draw_attention.ts", `${root}assets/examples/date.png`, out]);
    assertEquals([stdout, code], [`${out}: 2/8/2021\n`, 0], stderr);
    assertEquals((await readImage(out)).channels, 4);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("examples/serve.ts reads the pictures posted to it, with leave to read and to listen alone", async () => {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", "--no-prompt", "--allow-read", "--allow-net=0.0.0.0", "examples/serve.ts", "0"],
    cwd: root,
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const output = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  try {
    const address = `http://127.0.0.1:${/:(\d+)/.exec((await output.read()).value ?? "")![1]}/`;
    const post = async (body: Uint8Array<ArrayBuffer>) => {
      const response = await fetch(address, { method: "POST", body });
      return [response.status, await response.text()];
    };
    const [picture, date] = await Promise.all(
      ["line", "date"].map((name) => Deno.readFile(`${root}assets/examples/${name}.png`)),
    );
    const [first, second] = await Promise.all([post(picture), post(date)]);
    assertEquals([first, second], [[200, "ninth century Zen master\n"], [200, "2/8/2021\n"]]);
    const [status, message] = await post(new Uint8Array([1, 2, 3]));
    assertEquals([status, String(message).startsWith("Cannot read picture")], [400, true]);
    assertEquals((await fetch(address)).status, 405);
  } finally {
    child.kill();
    await Promise.all([child.status, output.cancel(), child.stderr.cancel()]);
  }
});
