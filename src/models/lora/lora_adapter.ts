// A LoRA adapter (Hu et al. 2021): to the product of some fully connected layers, scaling · (x Aᵀ) Bᵀ is added, with A of few
// rows and B of few columns, which are trained while the layers stay as they are.
import { fill, zeros } from "../parameters/initial_values.ts";
import type { Tensor } from "../../tensor/mod.ts";

/** The adapter of one layer. */
export interface LoraLayer {
  /** The rows of A, and columns of B. */
  readonly rank: number;
  /** What the product is multiplied by, times the rank. */
  readonly alpha: number;
}

/** An adapter of a model. */
export interface LoraAdapter {
  /** The layers that it adapts, by their path in files, such as `decoder.transformer.h.0.attn.c_attn`. */
  readonly layers: ReadonlyMap<string, LoraLayer>;
  /** The share of a layer's inputs that training drops before A. */
  readonly dropout: number;
  /** Whether alpha is divided by the rank's square root (Kalajdzievski 2023, rsLoRA) and not by the rank. */
  readonly rankStabilized: boolean;
  /** What the model that it was made for is called, where that is known. */
  readonly baseModel?: string;
}

/** The names of a layer's A [rank, inputs] and B [outputs, rank]. */
export function loraNames(path: string): { readonly a: string; readonly b: string } {
  return { a: `${path}.lora_A.weight`, b: `${path}.lora_B.weight` };
}

/** What (x Aᵀ) Bᵀ is multiplied by. */
export function scalingOf({ layers, rankStabilized }: LoraAdapter, path: string): number {
  const { rank, alpha } = layers.get(path)!;
  return alpha / (rankStabilized ? Math.sqrt(rank) : rank);
}

/**
 * New values of a layer's A and B, as `peft` makes them: A uniform (torch.nn.init.kaiming_uniform_ with a = √5), B zero, so
 * that the model computes what it did.
 */
export function initialLora(
  path: string,
  { rank, inputs, outputs, seed }: { rank: number; inputs: number; outputs: number; seed: number },
): [name: string, value: Tensor][] {
  const { a, b } = loraNames(path);
  return [
    [a, fill({ kind: "uniform", bound: 1 / Math.sqrt(inputs) }, a, [rank, inputs], seed)],
    [b, fill(zeros, b, [outputs, rank], seed)],
  ];
}
