// Teach the embedded model a hand that it reads badly: deno run -A examples/finetune.ts [FOLDER [STEPS]]
// 200 lines to learn from, 60 others to measure; the model that reads them best is kept in FOLDER.
import { Captioner, ImageTextDataset, Trainer } from "@limner/limner";

const [folder = "finetuned", steps = "120"] = Deno.args;
const here = (name: string) => new URL(`hand/${name}/`, import.meta.url);
const percent = (share: number) => `${(share * 100).toFixed(1)} %`;

await using captioner = await Captioner.load();
const { model, tokenizer, processor } = captioner;

// The embedded model writes no start token, so its labels have none.
const options = { tokenizer, processor, addSpecialTokens: false };
const train = await ImageTextDataset.fromFolder(here("train"), options);
const test = await ImageTextDataset.fromFolder(here("test"), options);

await using trainer = await Trainer.create(model, {
  learningRate: 5e-4,
  schedule: "linear",
  warmupSteps: 10,
  totalSteps: Number(steps),
  maxGradNorm: 1,
});
const before = await trainer.evaluate(test);
console.log(`before: ${percent(before.characterErrorRate)} of the characters are wrong`);

const { best } = await trainer.fit(train, {
  steps: Number(steps),
  batchSize: 16,
  evaluate: test,
  evaluateEvery: 40,
  keepBest: folder,
  log: `${folder}/log.jsonl`,
  plot: `${folder}/loss.svg`,
  onStep: ({ step, loss }) => step % 10 === 0 && console.log(`step ${step}: loss ${loss.toFixed(4)}`),
  onEvaluation: ({ step, evaluation }) =>
    console.log(`step ${step}: ${percent(evaluation.characterErrorRate)} of the characters are wrong`),
});
await tokenizer.savePretrained(folder);
await processor.savePretrained(folder);
console.log(`after: ${percent(best!.evaluation.characterErrorRate)}; deno run -A caption.ts --model ${folder} PICTURE`);
