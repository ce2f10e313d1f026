// Whether lines that are read wrongly have lower confidences than lines that are read right:
// `deno run -A bench/confidence_bench.ts [BACKEND] [FOLDER]`. The folder has pictures of lines and an index.json that says
// what stands in each; else it is tests/fixtures/lines, in faces that the embedded model was not trained on. AUROC is the
// chance that of a wrong line and a right one the wrong one has the lower confidence. Figure to reach: 0.9.
// What confidences cost is in generation_bench.ts.
import { type BackendName, Captioner } from "../mod.ts";

const backend = (Deno.args[0] ?? "auto") as BackendName | "auto";
const folder = Deno.args[1] ?? new URL("../tests/fixtures/lines", import.meta.url).pathname;
const { lines }: { lines: { file: string; text: string }[] } = JSON.parse(
  await Deno.readTextFile(`${folder}/index.json`),
);

await using captioner = await Captioner.load(undefined, { backend });
const captions = await captioner.captions(lines.map(({ file }) => `${folder}/${file}`));
const read = lines.map(({ text }, i) => ({ truth: text, ...captions[i][0] }));
const [right, wrong] = [true, false].map((isRight) => read.filter(({ text, truth }) => (text === truth) === isRight));

/** The chance that the second of two values is the lower one; that of equal values is a half. */
function auroc(higher: readonly number[], lower: readonly number[]): number {
  const wins = higher.flatMap((a) => lower.map((b) => a > b ? 1 : a === b ? 0.5 : 0));
  return wins.reduce((sum: number, win) => sum + win, 0) / wins.length;
}

for (const { truth, text, confidence, words } of wrong.toSorted((a, b) => a.confidence - b.confidence)) {
  const least = words.reduce((a, b) => b.confidence < a.confidence ? b : a, { text: "", confidence: Infinity });
  console.log(
    `${confidence.toFixed(3)}  ${JSON.stringify(text)}, not ${JSON.stringify(truth)}: least sure of ${least.text}`,
  );
}
const confidenceOf = ({ confidence }: { confidence: number }) => confidence;
console.log(`${captioner.model.backend.name}: ${wrong.length} of ${read.length} lines are read wrongly`);
console.log(`AUROC of confidence ${auroc(right.map(confidenceOf), wrong.map(confidenceOf)).toFixed(3)}`);
