// What the processors in programs are given: a penalty once, and the mask at the lengths where it changes.
import type { Generation } from "../request/generation.ts";
import { lengthProcessors, TokenMask } from "./token_mask.ts";

/** Takes the inputs of programs. */
export interface InputWriter {
  /** The number V of tokens. */
  readonly vocabularySize: number;
  /** Queue a write of an input; none where no program has it. */
  write(name: string, data: Float32Array): void;
}

/** Keeps the inputs that processors need as they have to be. */
export class ProcessorInputs {
  readonly #mask: TokenMask;

  constructor(readonly inputs: InputWriter, generation: Generation) {
    const { repetitionPenalty } = generation;
    this.#mask = new TokenMask(lengthProcessors(generation, generation), inputs.vocabularySize);
    if (repetitionPenalty !== 1) inputs.write("penalty", Float32Array.of(repetitionPenalty));
  }

  /** Queue a write of the mask for the next token of rows of `length`, if it is not there. */
  write(length: number): void {
    if (this.#mask.processors.length === 0) return;
    const mask = this.#mask.next(length);
    if (mask) this.inputs.write("mask", mask);
  }
}
