// A text of one row in a slot, and how its tokens are taken.
import type { Generation } from "../request/generation.ts";
import { Noise } from "../scores/gumbel_noise.ts";
import { isDecidedOnHost, programProcessorsOf } from "../scores/processor_list.ts";
import { lengthProcessors, TokenMask } from "../scores/token_mask.ts";
import { type GenerateOutput, outputOfRows } from "../search/generate_output.ts";
import { HostTokenChoice } from "../search/host_token_choice.ts";
import { TextState } from "../search/text_state.ts";
import type { SlotText, StepRow } from "./slot_text.ts";

/** A row under way in a slot. */
export class SlotRow implements SlotText, StepRow {
  readonly isBeam = false;
  stepsUnderWay = 0;
  readonly text: TextState;
  /** Takes its tokens where programs cannot. */
  readonly host: HostTokenChoice | undefined;
  readonly noise: Noise | undefined;
  readonly mask: TokenMask | undefined;
  #released = false;

  /**
   * @param slot Where it is.
   * @param generation Its settings, of one picture.
   * @param vocabulary The number V of tokens.
   */
  constructor(readonly slot: number, readonly generation: Generation, readonly vocabulary: number) {
    this.text = new TextState(generation, generation.prompts[0], 0);
    if (isDecidedOnHost(generation)) {
      this.host = new HostTokenChoice(generation, vocabulary);
      return;
    }
    if (generation.doSample) this.noise = Noise.of(generation);
    const processors = lengthProcessors(generation, generation);
    if (processors.length > 0) this.mask = new TokenMask(processors, vocabulary);
  }

  get slots(): readonly number[] {
    return [this.slot];
  }

  get owner(): this {
    return this;
  }

  get length(): number {
    return this.text.tokens.length;
  }

  get readsScores(): boolean {
    return this.host !== undefined;
  }

  get released(): boolean {
    return this.#released;
  }

  release(): void {
    this.#released = true;
  }

  get topK(): number {
    const { doSample, topK } = this.generation;
    return doSample && topK < this.vocabulary ? topK : 0;
  }

  get selection(): StepRow["selection"] {
    const { doSample, outputConfidences } = this.generation;
    const processors = programProcessorsOf(this.generation, this.generation);
    return { processors, samples: doSample, topK: this.topK, candidates: 0, confident: outputConfidences };
  }

  get output(): GenerateOutput {
    return outputOfRows([this.text], this.generation);
  }
}
