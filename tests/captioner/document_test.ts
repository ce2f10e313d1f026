// Documents as Python reads them (fixtures/field/donut, made by scripts/make_documents.py): models that write one text
// whatever the picture.
import { assert, assertEquals, assertRejects } from "@std/assert";
import { Captioner, ConfigError, OptionError, token2json } from "../../mod.ts";
import { caption as command } from "../cli/command_process.ts";

const folder = new URL("../fixtures/field/donut/", import.meta.url);
const white = new URL("white.png", folder);
const goldenOf = async (name: string) => JSON.parse(await Deno.readTextFile(new URL(`${name}/golden.json`, folder)));
const load = (name: string) => Captioner.load(new URL(`${name}/`, folder), { backend: "reference" });

const receipt =
  "<s_menu><s_nm> Latte</s_nm><s_price> 4,500</s_price><sep/><s_nm> Americano</s_nm><s_price> 3,000</s_price></s_menu>";
const { json: menu } = await goldenOf("cord");

Deno.test("document() reads a receipt of CORD, from the model's own task token and by its name", async () => {
  await using captioner = await load("cord");
  assertEquals(await captioner.document(white), menu);
  assertEquals(await captioner.document(white, { task: "cord-v2" }), menu);
  assertEquals(await captioner.document(white, { prompt: "<s_cord-v2>", numBeams: 2 }), menu);
});

Deno.test("caption(), captions() and stream() keep the tags where skipSpecialTokens is false", async () => {
  await using captioner = await load("cord");
  const whole = { skipSpecialTokens: false };
  assertEquals(await captioner.caption(white, whole), receipt);
  assertEquals(await captioner.caption([white, white], { ...whole, prompt: "<s_cord-v2>" }), [receipt, receipt]);
  assertEquals((await captioner.captions(white, whole))[0].text, receipt);
  assertEquals(token2json(await captioner.caption(white, whole)), menu);
  for (const options of [whole, { ...whole, prompt: "<s_cord-v2>" }]) {
    assertEquals((await Array.fromAsync(captioner.stream(white, options))).join(""), receipt);
  }
  const plain = await captioner.caption(white);
  assert(!plain.includes("<") && plain.includes("Latte"), plain);
  assertEquals(await captioner.caption(white, { prompt: "<s_cord-v2>" }), plain);
});

Deno.test("document() asks a question as DocVQA does, and caption() does not repeat it", async () => {
  await using captioner = await load("docvqa");
  const { prompt, json, ids, text } = await goldenOf("docvqa");
  assertEquals(await captioner.document(white, { question: "What is the total?" }), json);
  assertEquals(await captioner.document(white, { task: "docvqa", question: "What is the total?" }), json);
  assertEquals(await captioner.document(white, { prompt }), json);
  const [caption] = await captioner.captions(white, { prompt });
  assertEquals([caption.text, caption.ids], [text, ids]);
  assertEquals((await Array.fromAsync(captioner.stream(white, { prompt }))).join(""), text);
});

Deno.test("document() names a class as RVL-CDIP does, and gives Nougat's Markdown as text", async () => {
  await using classes = await load("rvlcdip");
  assertEquals(await classes.document(white), (await goldenOf("rvlcdip")).json);
  await using nougat = await load("nougat");
  const { markdown } = await goldenOf("nougat");
  assertEquals(await nougat.document(white), { text: markdown });
  assertEquals(await nougat.document(white, { fixMarkdown: false }), { text: markdown });
  await assertRejects(() => classes.document(white, { fixMarkdown: true }), OptionError, "fixMarkdown");
});

Deno.test("a model that starts from a prompt says so, and a task that it does not have is named", async () => {
  await using captioner = await load("docvqa");
  for (
    const run of [() => captioner.caption(white), () => captioner.document(white), () => captioner.stream(white).next()]
  ) {
    const { message } = await assertRejects(run, ConfigError);
    assertEquals(
      message,
      "Cannot caption: this model starts from a task prompt, such as " +
        "<s_docvqa><s_question>…</s_question><s_answer> or <s_iitcdip>: give prompt",
    );
  }
  const refused = [
    [{ task: "cord-v2" }, 'no task "cord-v2"; it has docvqa, iitcdip'],
    [{ task: "docvqa", prompt: "<s_docvqa>" }, "and not both"],
    [{ prompt: "<s_docvqa>", decoderInputIds: [[3]] }, "and not both"],
    [{ prompt: "" }, "has no token"],
    [{ prompt: 5 as unknown as string }, "prompt is number"],
  ] as const;
  for (const [options, part] of refused) {
    const { message } = await assertRejects(() => captioner.document(white, options), OptionError);
    assert(message.includes(part), message);
  }
});

Deno.test("the command prints documents as JSON", async () => {
  const run = async (name: string, ...args: string[]) =>
    await command(["--backend", "reference", "--model", new URL(name, folder).pathname, white.pathname, ...args]);
  assertEquals((await run("cord", "--document")).stdout, JSON.stringify(menu) + "\n");
  const { json, text, prompt } = await goldenOf("docvqa");
  assertEquals((await run("docvqa", "--question", "What is the total?")).stdout, JSON.stringify(json) + "\n");
  assertEquals((await run("docvqa", "--prompt", prompt)).stdout, text + "\n");
  assertEquals((await run("docvqa", "--document", "--prompt", prompt)).stdout, JSON.stringify(json) + "\n");
  const { json: kind } = await goldenOf("rvlcdip");
  assertEquals((await run("rvlcdip", "--document")).stdout, JSON.stringify(kind) + "\n");
  const object = JSON.parse((await run("rvlcdip", "--task", "rvlcdip", "--json")).stdout);
  assertEquals([object.document, object.text], [kind, undefined]);
  const { markdown } = await goldenOf("nougat");
  assertEquals(JSON.parse((await run("nougat", "--document")).stdout), { text: markdown });
  const { code, stdout, stderr } = await run("docvqa");
  assertEquals([code, stdout], [1, ""]);
  assert(stderr.includes("starts from a task prompt, such as <s_docvqa>") && !stderr.includes("white.png"), stderr);
});
