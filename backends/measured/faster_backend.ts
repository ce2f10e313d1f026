// Whether a model is faster on the processor or on a GPU, by its work and by what was measured of both.
import type { BackendName, BackendReport, ModelWork } from "../../src/graph/mod.ts";
import { estimate, type Rates, tokensEstimated } from "./rates.ts";

/** What waiting for a GPU takes where a read sleeps, as it does in most versions of Deno, in milliseconds. */
export const leastWait = 10;

/** What was chosen, and why, for a person to read. */
export interface Choice {
  readonly name: BackendName;
  readonly reason: string;
}

/** A device whose speed is known. */
export interface MeasuredDevice {
  readonly name: BackendName;
  readonly device: string;
  readonly rates: Rates;
}

/** Milliseconds, for a person to read. */
export const about = (milliseconds: number): string => `about ${Number(milliseconds.toPrecision(2))} ms`;

/** Whether a processor has ended before a GPU has answered. */
export function needsNoGpu(work: ModelWork, rates: Rates): boolean {
  return estimate(work, rates) <= leastWait;
}

/** Choose the faster one; the first where they are alike. */
export function faster(work: ModelWork, first: MeasuredDevice, second: MeasuredDevice): Choice {
  const [own, other] = [first, second].map((each) => ({ ...each, time: estimate(work, each.rates) }));
  const [best, rest] = other.time < own.time ? [other, own] : [own, other];
  const reason = `a picture with a text of ${tokensEstimated} tokens takes ${about(best.time)} there, and ` +
    `${about(rest.time)} on ${rest.name} (${rest.device})`;
  return { name: best.name, reason };
}

/** What estimates are of where no model is given: a small and a large one, as `workOf` counts them. */
export const examples: readonly { readonly name: string; readonly work: ModelWork }[] = [
  {
    name: "the embedded model",
    work: { pictureOperations: 402_559_488, pictureProducts: 47, tokenBytes: 4_345_344, tokenProducts: 21 },
  },
  {
    name: "ViT-base with GPT-2",
    work: { pictureOperations: 40_703_496_192, pictureProducts: 97, tokenBytes: 551_156_736, tokenProducts: 97 },
  },
];

/** The estimated times of a device, for a person to read. @param work The model's. @default a small and a large one */
export function describeSpeed(rates: Rates, work?: ModelWork): string {
  const models = work ? [{ name: "the model", work }] : examples;
  const times = models.map(({ name, work }) => `${about(estimate(work, rates))} for ${name}`);
  return `a picture with a text of ${tokensEstimated} tokens takes ${times.join(", ")}`;
}

/** Why a GPU is not even measured; undefined where it may be faster. */
export function whyNotGpu({ available, reason, software, device }: BackendReport): string | undefined {
  if (!available) return `there is no GPU: ${reason}`;
  return software ? `the GPU is one in software (${device})` : undefined;
}
