import { assert, assertEquals } from "@std/assert";
import { type Tensor, VisionEncoderDecoderModel } from "../../mod.ts";
import { Noise } from "../../src/generation/scores/gumbel_noise.ts";
import { blocksOf, draw } from "../../src/generation/scores/token_draw.ts";
import { readTensors } from "../conformance/read_golden.ts";
import { testedBackends } from "../backends/tested_backends.ts";

const models = new URL("../fixtures/models/", import.meta.url);

/** The value that chi-square with so many degrees of freedom passes in 1 % of cases (Wilson and Hilferty 1931). */
function critical(freedom: number): number {
  const spread = 2 / (9 * freedom);
  return freedom * (1 - spread + 2.3263 * Math.sqrt(spread)) ** 3;
}

/** Pearson's statistic of counts against probabilities; tokens expected less than five times are one class. */
function chiSquare(counts: readonly number[], probabilities: readonly number[], draws: number): [number, number] {
  let [statistic, classes, rareCount, rareExpected] = [0, 0, 0, 0];
  probabilities.forEach((probability, id) => {
    const expected = probability * draws;
    if (expected < 5) {
      rareCount += counts[id];
      rareExpected += expected;
      return;
    }
    statistic += (counts[id] - expected) ** 2 / expected;
    classes++;
  });
  if (rareExpected > 0) {
    statistic += (rareCount - rareExpected) ** 2 / rareExpected;
    classes++;
  }
  return [statistic, classes - 1];
}

Deno.test("20,000 draws have Transformers' distribution by a chi-square test at 1 %", async () => {
  const tensors = await readTensors(new URL("vit_gpt2_captioning/golden.safetensors", models));
  const draws = 20_000;
  for (const variant of ["temperature1.5", "default_top_k50", "temp1.3_topk20_topp0.85"]) {
    const rows = tensors.get(`sampling.${variant}.logprobs`)!;
    const vocabulary = rows.shape[1];
    const { blocks, width } = blocksOf(vocabulary);
    for (const row of [0, 1]) {
      const scores = (rows.data as Float32Array).slice(row * vocabulary, (row + 1) * vocabulary);
      const right = Array.from(scores, Math.exp);
      // A slightly flatter distribution, which the same counts must refuse: the test can tell.
      const flat = Array.from(scores, (score) => Math.exp(score * 0.9));
      const total = flat.reduce((a, b) => a + b);
      const wrong = flat.map((value) => value / total);
      // One seed in a hundred is refused by chance: the statistics of several are added up.
      const sums = { right: [0, 0], wrong: [0, 0] };
      for (const seed of [0, 1, 2, 3]) {
        const noise = new Noise(seed);
        const numbers = new Float32Array(blocks + width);
        const counts = Array<number>(vocabulary).fill(0);
        for (let step = 0; step < draws; step++) counts[draw(scores, noise.fill(numbers, row, step)).token]++;
        for (const [kind, probabilities] of [["right", right], ["wrong", wrong]] as const) {
          chiSquare(counts, probabilities, draws).forEach((value, i) => sums[kind][i] += value);
        }
      }
      const refused = ([statistic, freedom]: number[]) => statistic > critical(freedom);
      assert(!refused(sums.right), `${variant}, row ${row}: ${sums.right}`);
      assert(refused(sums.wrong), `${variant}, row ${row}: a wrong distribution passes with ${sums.wrong}`);
    }
  }
});

Deno.test("one seed gives the same ids on every backend, over 1,000 draws", async () => {
  let draws = 0;
  for (const name of ["vit_gpt2_captioning", "vit_bert", "vit_trocr_base", "swin_bert", "vit_bart"]) {
    const folder = new URL(`${name}/`, models);
    const pixelValues: Tensor = (await readTensors(new URL("golden.safetensors", folder))).get("pixel_values")!;
    const ids: number[][][] = [];
    for (const backend of testedBackends) {
      await using model = await VisionEncoderDecoderModel.fromPretrained(folder, { backend });
      model.generationConfig.forced_eos_token_id = null;
      const given: number[][] = [];
      for (let seed = 0; seed < 4; seed++) {
        const asked = { doSample: true, seed, numBeams: 1, numReturnSequences: 4, maxNewTokens: 8, eosTokenId: null };
        given.push(...(await model.generate(pixelValues, asked)).sequences);
      }
      ids.push(given);
    }
    for (const other of ids) assertEquals(other, ids[0], name);
    draws += ids[0].length * 8;
  }
  assert(draws >= 1000, String(draws));
});
