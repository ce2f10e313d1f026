// What a step is given, checked and turned into the tensors that its program takes; and what it gives.
import { OptionError, ShapeError } from "../errors/mod.ts";
import { checkInputs, type TokenRows } from "../model/forward_inputs.ts";
import type { Architecture } from "../models/mod.ts";
import type { Tensor } from "../tensor/mod.ts";
import { checkPadding, ignoredLabel, type LabelledModel } from "./data/mod.ts";

/** Pictures and what is to be written of them. */
export interface TrainingBatch {
  /** [batch, channels, height, width], float32. */
  readonly pixelValues: Tensor;
  /** The id that each position should give, [batch, T]; -100 is not counted. */
  readonly labels: TokenRows;
  /** Ids, [batch, T]. @default the labels, shifted right after `decoder_start_token_id` */
  readonly decoderInputIds?: TokenRows;
}

/** What a step did. */
export interface StepResult {
  /** The mean over labels other than -100, before the update. */
  readonly loss: number;
  /** The norm of all gradients together, before clipping; undefined where the call made no update. */
  readonly gradNorm?: number;
  /** The learning rate of the update. */
  readonly learningRate: number;
  /** How many updates have been made. */
  readonly steps: number;
}

/** The tensors of a batch, by the names of the program's inputs. */
export type BatchTensors = Readonly<Record<string, Tensor>>;

/** A batch for a program. */
export interface CheckedBatch {
  readonly tensors: BatchTensors;
  /** How many labels are counted. */
  readonly labels: number;
}

/** What a batch is checked for. */
export interface BatchChecks {
  readonly architecture: Architecture;
  readonly model: LabelledModel;
  /** Whether labels may end in pad tokens. */
  readonly countPadding: boolean;
}

/**
 * Check a batch.
 *
 * @throws {OptionError} If it has something of another name, or labels end in pad tokens.
 * @throws {ShapeError} If pictures and labels do not fit the model or one another, or no label is counted.
 * @throws {ConfigError} If the labels are to be shifted and the configuration lacks what that needs.
 */
export function checkBatch(
  { pixelValues, labels, decoderInputIds, ...others }: TrainingBatch,
  { architecture, model: { config, generationConfig }, countPadding }: BatchChecks,
): CheckedBatch {
  const [other] = Object.keys(others);
  if (other !== undefined) {
    throw new OptionError(`Cannot train on ${other}: a batch has pixelValues, labels and decoderInputIds`);
  }
  if (labels === undefined) throw new ShapeError("Cannot train: the batch has no labels");
  const tensors = checkInputs({ pixelValues, labels, decoderInputIds }, architecture, config);
  const ignored = BigInt(ignoredLabel);
  const counted = (tensors.labels.data as BigInt64Array).reduce((sum, id) => id === ignored ? sum : sum + 1, 0);
  if (counted === 0) throw new ShapeError(`Cannot train: all labels are ${ignoredLabel}, so none is counted`);
  if (!countPadding) {
    const { pad_token_id: pad, eos_token_id, decoder } = config;
    const ends = [eos_token_id, decoder.eos_token_id, generationConfig.eos_token_id].flat();
    const isId = (id: unknown): id is number => typeof id === "number";
    checkPadding(tensors.labels.toList() as number[][], { pad: isId(pad) ? pad : undefined, ends: ends.filter(isId) });
  }
  return { tensors, labels: counted };
}
