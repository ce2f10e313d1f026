import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { caption, deno, root } from "../command_process.ts";

/** Run a test with a folder for the model that a training writes. */
async function withFolder(use: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "limner_train_" });
  try {
    await use(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

const hand = `${root}examples/hand`;
const entriesOf = async (output: string): Promise<Entry[]> =>
  (await Deno.readTextFile(`${output}/log.jsonl`)).trimEnd().split("\n").map((line) => JSON.parse(line));

interface Entry {
  readonly seconds?: number;
  readonly evaluation?: { readonly loss: number };
}

/** Steps and error rates have to be equal; the last digits of an evaluation's loss may depend on the process. */
function assertSameRun(actual: readonly Entry[], expected: readonly Entry[]): void {
  const exact = (entries: readonly Entry[]) =>
    entries.map(({ seconds: _, evaluation, ...entry }) => ({
      ...entry,
      ...evaluation && { evaluation: { ...evaluation, loss: 0 } },
    }));
  assertEquals(exact(actual), exact(expected));
  actual.forEach(({ evaluation }, i) => {
    if (!evaluation) return;
    const [found, loss] = [evaluation.loss, expected[i].evaluation!.loss];
    assert(Math.abs(found - loss) < 1e-5 * loss, `the loss of evaluation ${i} is ${found}, expected ${loss}`);
  });
}

Deno.test("train teaches a model or an adapter, prints error rates before and after, and goes on where it was interrupted", async () => {
  await withFolder(async (folder) => {
    // The first ten lines are learned from, so that an evaluation takes no time.
    const lines = (await Deno.readTextFile(`${hand}/train/metadata.jsonl`)).split("\n").slice(0, 12);
    for (const [part, some] of [["data", lines.slice(0, 8)], ["eval", lines.slice(8)]] as const) {
      await Deno.mkdir(`${folder}/${part}`);
      await Deno.writeTextFile(`${folder}/${part}/metadata.jsonl`, some.join("\n") + "\n");
      for (const { file_name } of some.map((line) => JSON.parse(line))) {
        await Deno.copyFile(`${hand}/train/${file_name}`, `${folder}/${part}/${file_name}`);
      }
    }
    const asked = (output: string) => [
      ..."train --backend ffi --lr 5e-4 --steps 6 --batch 4 --eval-every 3 --seed 7".split(" "),
      ...["--data", `${folder}/data`, "--eval", `${folder}/eval`, "--output", output],
    ];
    const whole = await caption(asked(`${folder}/whole`));
    assertEquals(whole.code, 0, whole.stderr);
    const [before, after] = whole.stdout.split("\n").map((line) => Number(/error rate ([\d.]+) %/.exec(line)?.[1]));
    assert(before > after, whole.stdout);
    assertStringIncludes(whole.stderr, "8 examples to learn from, 4 to measure on");
    const reading = await caption(["--model", `${folder}/whole`, `${folder}/eval/008.png`]);
    assertEquals([reading.code, reading.stderr], [0, ""]);

    const cut = new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--quiet", "caption.ts", ...asked(`${folder}/cut`)],
      ...{ cwd: root, stdout: "null", stderr: "piped", env: { HF_HUB_OFFLINE: "1" } },
    }).spawn();
    const said = new Response(cut.stderr).text();
    for (let written = 0; written < 4;) {
      written = (await Deno.readTextFile(`${folder}/cut/log.jsonl`).catch(() => "")).split("\n").length - 1;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    cut.kill("SIGINT");
    assertEquals((await cut.status).code, 1);
    assertStringIncludes(await said, "interrupted after step");
    const rest = await caption(["train", "--resume", "--output", `${folder}/cut`]);
    assertEquals(rest.code, 0, rest.stderr);
    assertSameRun(await entriesOf(`${folder}/cut`), await entriesOf(`${folder}/whole`));
    const lora = await caption([...asked(`${folder}/lora`), "--lora", "4"]);
    assertEquals(lora.code, 0, lora.stderr);
    assertEquals((await caption(["--model", `${folder}/lora`, `${folder}/eval/008.png`])).code, 0);
    assert((await Deno.stat(`${folder}/lora/adapter/adapter_model.safetensors`)).isFile);
    const [first, second] = await Promise.all(
      ["whole", "cut"].map((name) => Deno.readFile(`${folder}/${name}/trainer/model.safetensors`)),
    );
    assert(first.length === second.length && first.every((byte, i) => byte === second[i]), "the same parameters");
  });
});

Deno.test("train refuses what cannot be in a line, before a model is loaded", async () => {
  await withFolder(async (folder) => {
    const refused: [string[], number, string][] = [
      [["--data", hand], 2, "caption: option --output is missing: the folder that the model is written to"],
      [["--resume", "--output", folder], 2, `caption: option --resume found no run in ${folder}: it has no train.json`],
      [
        ["--resume", "--output", `${folder}/none`],
        2,
        `caption: option --resume found no run in ${folder}/none: it has no train.json`,
      ],
      ...[["--resume"], ["--data", hand]].map((what): [string[], number, string] => [
        [...what, "--output", "caption.ts"],
        2,
        "caption: option --output is caption.ts, which is a file, and a folder was expected",
      ]),
      [
        ["--data", hand, "--output", "caption.ts/out"],
        1,
        "caption: Cannot make the folder caption.ts/out: what should be its folder is a file",
      ],
      [
        ["--lr", "0", "--output", folder],
        2,
        "caption: option --lr is 0, and a number above 0, such as 5e-5 was expected",
      ],
    ];
    for (const [args, code, message] of refused) {
      const ended = await caption(["train", ...args]);
      assertEquals([ended.code, ended.complaints[0], ended.stdout], [code, message, ""]);
    }
    await Deno.writeTextFile(`${folder}/train.json`, "{}");
    const ended = await caption(["train", "--data", hand, "--output", folder]);
    assertEquals([ended.code, ended.complaints], [
      2,
      [`caption: option --output is ${folder}, which has a run already: --resume goes on with it`],
    ]);
    const nothing = await caption(["train", "--data", hand, "--output", `${folder}/new`, "--backend", "reference"]);
    assertEquals(nothing.code, 2);
    assertStringIncludes(nothing.complaints[0], "a part such as test/ may have one");
  });
});

Deno.test("examples/finetune.ts teaches the hand, step by step", async () => {
  await withFolder(async (folder) => {
    const { code, stdout, stderr } = await deno(["examples/finetune.ts", `${folder}/model`, "2"]);
    assertEquals(code, 0, stderr);
    const lines = stdout.trimEnd().split("\n");
    assertStringIncludes(lines[0], "before: 37.");
    assertStringIncludes(lines.at(-1)!, "after: ");
    assertEquals((await Deno.readTextFile(`${folder}/model/loss.svg`)).slice(0, 4), "<svg");
  });
});
