// How well a model does on texts that are known: the loss of their labels, and what it writes of their pictures.
import type { GenerateOptions, GenerateOutput, GenerationConfig } from "../generation/mod.ts";
import type { Limits } from "../limits/mod.ts";
import { architectureOf, type VisionEncoderDecoderConfig } from "../models/mod.ts";
import type { Tensor } from "../tensor/mod.ts";
import { type Batch, checkLabels, type TrainingDataset } from "./data/mod.ts";
import { errorRates } from "./report/error_rates.ts";
import type { Evaluation } from "./report/evaluation.ts";

/** What is asked of a model here. */
export interface WritingModel {
  readonly config: VisionEncoderDecoderConfig;
  readonly generationConfig: GenerationConfig;
  readonly limits: Limits;
  generate(pixelValues: Tensor, options: GenerateOptions): Promise<GenerateOutput>;
}

/** What is asked of a trainer here. */
export interface EvaluatedTrainer {
  readonly model: WritingModel;
  /** The mean loss of a batch, and the number of labels it is a mean over. */
  loss(batch: Pick<Batch, "pixelValues" | "labels">): Promise<{ loss: number; labels: number }>;
}

/** How a model is evaluated. */
export interface EvaluateOptions {
  /** Pictures given to the model at once. @default 8 */
  readonly batchSize?: number;
  /**
   * How texts are written. @default the model's settings, and as many tokens as the longest right text, and 8 more, have
   * room in
   */
  readonly generate?: Omit<GenerateOptions, "streamer" | "signal" | "numReturnSequences">;
  /** Called with the number of pictures that are done, and of all. */
  readonly onProgress?: (done: number, total: number) => void;
  /** Called with each text that was written, and the right one. */
  readonly onText?: (written: { readonly name: string; readonly text: string; readonly reference: string }) => void;
  /** Ends the evaluation. */
  readonly signal?: AbortSignal;
}

/** How many more tokens than the longest right text has a text may have. */
const spareTokens = 8;

/**
 * Evaluate a model on a data set, whose pictures are not augmented.
 *
 * @throws {LimnerError} If the model cannot learn the labels (`checkLabels`), or a picture cannot be read.
 */
export async function evaluate(
  trainer: EvaluatedTrainer,
  dataset: TrainingDataset,
  options: EvaluateOptions = {},
): Promise<Evaluation> {
  const { model } = trainer;
  const { batchSize = 8, signal, generate, onProgress, onText } = options;
  checkLabels(dataset, model);
  const asked = { maxNewTokens: tokensFor(dataset, model), ...generate, numReturnSequences: 1, signal };
  const { texts, names } = dataset;
  const references: string[] = [], hypotheses: string[] = [];
  let [loss, labels] = [0, 0];
  for await (const batch of dataset.batches({ batchSize, shuffle: false, augment: false, signal })) {
    const { pixelValues, examples } = batch;
    const found = await trainer.loss({ pixelValues, labels: batch.labels });
    loss += found.loss * found.labels;
    labels += found.labels;
    const output = await model.generate(pixelValues, asked);
    examples.forEach((place, row) => {
      const [text, reference] = [textOf(output, row, dataset), texts[place]];
      hypotheses.push(text);
      references.push(reference);
      onText?.({ name: names[place], text, reference });
    });
    onProgress?.(references.length, dataset.size);
  }
  return { loss: loss / labels, ...errorRates(references, hypotheses) };
}

/** How many tokens a text of a data set may have. */
function tokensFor(dataset: TrainingDataset, { config, limits }: WritingModel): number {
  let longest = 1;
  for (let i = 0; i < dataset.size; i++) longest = Math.max(longest, dataset.labelsOf(i).length);
  const { maxPositions = Infinity } = architectureOf(config, limits).decoder;
  return Math.max(1, Math.min(longest + spareTokens, maxPositions - 1));
}

/** The text of a row, without what it was begun with and without its special tokens. */
function textOf(
  { sequences, promptLengths, lengths }: GenerateOutput,
  row: number,
  { tokenizer }: TrainingDataset,
): string {
  const ids = sequences[row].slice(promptLengths[row], lengths[row]);
  return tokenizer.decode(ids, { skipSpecialTokens: true });
}
