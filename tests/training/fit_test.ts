import { assert, assertEquals, assertRejects } from "@std/assert";
import {
  ConfigError,
  type FitOptions,
  HubError,
  ImageTextDataset,
  LimnerError,
  OptionError,
  RawImage,
  type StepEntry,
  Trainer,
  VisionEncoderDecoderModel,
} from "../../mod.ts";
import { fit } from "../../src/training/fit.ts";
import { readLog } from "../../src/training/report/training_log.ts";
import { lineFile, parts } from "./data/dataset_folder.ts";
import { type Script, ScriptedTrainer } from "./scripted_trainer.ts";

const { tokenizer, processor } = await parts();
const image = new RawImage(new Uint8Array(64 * 8), 64, 8, 1);

/** So many pictures of the text `ab`, whose labels are 68, 69, 2 after the start token. */
const pairs = (count: number) =>
  ImageTextDataset.fromPairs(Array(count).fill({ image, text: "ab" }), {
    tokenizer,
    processor,
    addSpecialTokens: false,
  });

async function run(script: Script, options: Partial<FitOptions>, count = 5) {
  const trainer = await ScriptedTrainer.create(script);
  const steps: StepEntry[] = [];
  const onStep = (entry: StepEntry) => void steps.push(entry);
  const result = await fit(trainer, pairs(count), { batchSize: 2, onStep, ...options });
  return { trainer, steps, result };
}

Deno.test("fit() goes through the data as often as is asked, or makes so many updates", async () => {
  const { trainer, steps, result } = await run({}, { epochs: 2 });
  assertEquals(trainer.events, ["step of 2", "step of 2", "step of 1", "step of 2", "step of 2", "step of 1"]);
  assertEquals(steps.map(({ step, epoch }) => [step, epoch]), [
    ...[[1, 0.3333], [2, 0.6667], [3, 1], [4, 1.3333], [5, 1.6667], [6, 2]],
  ]);
  assertEquals([steps[0].loss, steps[0].learningRate, steps[0].gradNorm], [1, 0.1, 3]);
  assertEquals(result, { steps: 6, epochs: 2, evaluation: undefined, best: undefined, stopped: "end" });
  assertEquals((await run({}, { steps: 4 })).result.epochs, 1.3333);
});

Deno.test("fit() does not begin where what it keeps cannot be written", async () => {
  const trainer = await ScriptedTrainer.create({});
  const file = new URL(import.meta.url);
  const folder = new URL("./", file).pathname;
  const refused: [Partial<FitOptions>, string][] = [
    [{ save: file }, "is a file"],
    [{ evaluate: pairs(1), keepBest: `${file.pathname}/best` }, "is a file"],
    [{ log: `${file.pathname}/log.jsonl` }, "is a file"],
    [{ plot: folder.slice(0, -1) }, "it is a folder"],
    [{ plot: folder }, "it has no name"],
    [{ log: "" }, "it has no name"],
  ];
  for (const [kept, message] of refused) {
    await assertRejects(() => fit(trainer, pairs(5), { batchSize: 2, epochs: 1, ...kept }), HubError, message);
  }
  assertEquals(trainer.events, []);
});

Deno.test("fit() weighs the losses that make one update by their labels, and fills the last update", async () => {
  const { trainer, steps } = await run({ gradientAccumulation: 2, losses: (call) => call }, { epochs: 1 });
  // Batches of 2, 2, 1 and, of the next epoch, 2 pictures with 3 labels each.
  assertEquals(steps.map(({ step, loss }) => [step, loss]), [[1, 1.5], [2, (3 * 3 + 4 * 6) / 9]]);
  assertEquals(trainer.fitProgress, { epoch: 1, batch: 1, batchSize: 2, evaluationsSinceBest: 0 });
});

Deno.test("fit() evaluates each epoch and at the end, keeps the best, and saves after that", async () => {
  const writes = (evaluation: number) => [[70, 2], [68, 2], [70, 69, 2]][evaluation];
  const found: unknown[] = [];
  const { trainer, result } = await run({ writes }, {
    ...{ steps: 5, batchSize: 4, evaluate: pairs(2), keepBest: "best", save: "state" },
    onEvaluation: ({ step, evaluation: { characterErrorRate } }, { better }) =>
      found.push([step, characterErrorRate, better]),
  });
  assertEquals(found, [[2, 1, true], [4, 0.5, true], [5, 0.5, false]]);
  assertEquals(trainer.events.filter((event) => !event.startsWith("step")), [
    "best best at 2",
    "save state at 2: epoch 0, batch 2",
    "best best at 4",
    "save state at 4: epoch 1, batch 2",
    "save state at 5: epoch 2, batch 1",
  ]);
  assertEquals([result.best?.step, result.evaluation?.loss, result.stopped], [4, 0.5, "end"]);
});

Deno.test("fit() ends where evaluations get no better for long enough, by the measure that is asked for", async () => {
  const writes = (evaluation: number) => evaluation === 1 ? [68, 69, 2] : [70, 2];
  const options = { steps: 50, evaluate: pairs(1), evaluateEvery: 3, patience: 2 };
  const { result } = await run({ writes }, options);
  assertEquals([result.stopped, result.steps, result.best?.step], ["patience", 12, 6]);
  assertEquals(result.best?.evaluation, { loss: 0.5, characterErrorRate: 0, wordErrorRate: 0, exactMatch: 1 });
  assertEquals((await run({ writes }, { ...options, bestBy: "exactMatch" })).result.best?.step, 6);
  assertEquals((await run({ writes }, { ...options, bestBy: "loss" })).result.steps, 9);
});

Deno.test("fit() makes up for an evaluation that was ended, and does none twice", async () => {
  const trainer = await ScriptedTrainer.create();
  const stop = new AbortController();
  const found: number[] = [];
  const options: FitOptions = {
    ...{ steps: 4, batchSize: 1, evaluate: pairs(2), evaluateEvery: 2, signal: stop.signal },
    evaluation: { onProgress: () => trainer.steps === 2 && stop.abort(new Error("enough")) },
    onEvaluation: ({ step }) => found.push(step),
  };
  await assertRejects(() => fit(trainer, pairs(3), options), Error, "enough");
  assertEquals([trainer.steps, found], [2, []]);
  await fit(trainer, pairs(3), { ...options, signal: undefined });
  await fit(trainer, pairs(3), { ...options, signal: undefined });
  assertEquals([trainer.steps, found], [4, [2, 4]]);
});

Deno.test("fit() stops where the loss is no number, and says what helps", async () => {
  const losses = (step: number) => step === 3 ? NaN : 1;
  await assertRejects(() => run({ losses }, { steps: 9 }), LimnerError, "the loss of step 3 is NaN");
});

Deno.test("fit() refuses options that cannot be before anything is done", async () => {
  const refused: [Partial<FitOptions>, string][] = [
    [{}, "one of the options steps and epochs was expected, and neither is given"],
    [{ steps: 1, epochs: 1 }, "and both are given"],
    [{ steps: 0 }, "option steps is 0"],
    [{ steps: 1, batchSize: 1.5 }, "option batchSize is 1.5"],
    [{ steps: 1, batchSize: 0 }, "option batchSize is 0"],
    [{ steps: 1, batchSize: undefined }, "option batchSize is undefined"],
    [{ epochs: NaN }, "option epochs is NaN"],
    [{ epochs: 0 }, "option epochs is 0"],
    [{ steps: 1, evaluate: pairs(1), evaluation: { batchSize: 0 } }, "option evaluation.batchSize is 0"],
    [{ steps: 1, evaluate: pairs(1), bestBy: "bleu" as "loss" }, "option bestBy is bleu, expected one of"],
    [{ steps: 1, patence: 2 } as object, 'there is no option "patence"; the options are epochs, steps'],
    [{ steps: 1, patience: 2 }, "option patience needs evaluate"],
    [{ steps: 1, keepBest: "best" }, "option keepBest needs evaluate"],
    [{ steps: 1, saveEvery: 2 }, "option saveEvery needs save"],
  ];
  for (const [options, message] of refused) await assertRejects(() => run({}, options), OptionError, message);
  const trainer = await ScriptedTrainer.create();
  trainer.model.config.pad_token_id = undefined;
  await assertRejects(
    () => fit(trainer, pairs(1), { steps: 1, batchSize: 1 }),
    ConfigError,
    "config.pad_token_id is not set",
  );
  const within = await ScriptedTrainer.create();
  within.fitProgress = { epoch: 0, batch: 1, batchSize: 3, evaluationsSinceBest: 0 };
  await assertRejects(
    () => fit(within, pairs(5), { steps: 1, batchSize: 2 }),
    OptionError,
    "within an epoch of batches of 3",
  );
});

Deno.test("Trainer.fit() goes on after an abort as if there had been none, and logs each step once", async () => {
  const folder = await Deno.makeTempDir({ prefix: "limner_fit_" });
  try {
    const texts = ["undisputed", "plug it in.", "a", "b c"];
    const all = texts.map((text, n) => ({ image: lineFile(n), text }));
    const losses = async (name: string, stopAfter?: number): Promise<number[]> => {
      const dataset = ImageTextDataset.fromPairs(all, { tokenizer, processor, addSpecialTokens: false, seed: 4 });
      const log = `${folder}/${name}.jsonl`;
      await using model = await VisionEncoderDecoderModel.fromPretrained("assets/model", { backend: "ffi" });
      await using trainer = await Trainer.create(model, { learningRate: 1e-4 });
      const stop = new AbortController();
      const onStep = ({ step }: StepEntry) => step === stopAfter && stop.abort(new Error("enough"));
      const options = { steps: 4, batchSize: 1, log, plot: `${folder}/${name}.svg`, onStep };
      if (stopAfter) {
        await assertRejects(() => trainer.fit(dataset, { ...options, signal: stop.signal }), Error, "enough");
      }
      const { steps } = await trainer.fit(dataset, options);
      assertEquals(steps, 4);
      assert((await Deno.readTextFile(`${folder}/${name}.svg`)).startsWith("<svg"));
      const entries = await readLog(log) as StepEntry[];
      assertEquals(entries.map(({ step }) => step), [1, 2, 3, 4]);
      return entries.map(({ loss }) => loss);
    };
    assertEquals(await losses("stopped", 2), await losses("whole"));
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("Trainer.evaluate() gives the loss of all labels and the errors of what is written", async () => {
  await using model = await VisionEncoderDecoderModel.fromPretrained("assets/model", { backend: "ffi" });
  await using trainer = await Trainer.create(model, { learningRate: 1e-4 });
  const texts = ["undisputed multiverse", "plug it in.", "No way"];
  const dataset = ImageTextDataset.fromPairs(texts.map((text, n) => ({ image: lineFile(n), text })), {
    ...{ tokenizer, processor, addSpecialTokens: false },
  });
  const written: string[] = [];
  const done: number[] = [];
  const { loss, ...rates } = await trainer.evaluate(dataset, {
    batchSize: 2,
    onText: ({ text, reference }) => written.push(`${reference}: ${text}`),
    onProgress: (count, total) => done.push(count, total),
  });
  assertEquals(written.slice(0, 2), [`${texts[0]}: ${texts[0]}s`, `${texts[1]}: ${texts[1]}`]);
  assertEquals([done, rates.exactMatch], [[2, 3, 3, 3], 1 / 3]);
  let [sum, count] = [0, 0];
  for await (const { pixelValues, labels } of dataset.batches({ batchSize: 1, shuffle: false })) {
    const labelled = (labels.toList() as number[][])[0].filter((id) => id >= 0).length;
    sum += (await model.forward({ pixelValues, labels })).loss! * labelled;
    count += labelled;
  }
  assert(Math.abs(loss - sum / count) < 1e-4 * loss, `${loss} ${sum / count}`);
});
