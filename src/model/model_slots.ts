// A model's session with slots: rows that come and go, each with options of its own, as `generate` has them. Whoever serves
// several callers holds one and asks it for steps.
import {
  type GenerateOptions,
  type PictureEncoding,
  resolveGeneration,
  type SlotRow,
  SlotSession,
  type SlotSessionOptions,
  type SlotStep,
} from "../generation/mod.ts";
import type { Tensor } from "../tensor/mod.ts";
import { subjectOf } from "./generation_subject.ts";
import { partsOf, type VisionEncoderDecoderModel } from "./vision_encoder_decoder_model.ts";

/**
 * Slots of a model. `generate` may be called meanwhile; when an adapter comes or goes, or the model is released, the slots
 * are too.
 *
 * @example
 * ```ts ignore
 * using slots = await ModelSlots.open(model, { slots: 8, maxLength: 64, encodeParts: 4 });
 * const row = slots.admit(slots.encode(pixelValues), { doSample: true, seed: 1 });
 * while (!row.released) await slots.step();
 * console.log(row.text.tokens);
 * ```
 */
export class ModelSlots implements Disposable {
  private constructor(readonly model: VisionEncoderDecoderModel, readonly session: SlotSession) {}

  /**
   * Compile what slots need, and make room for them.
   *
   * @throws {OptionError} If the options are none that slots can have.
   */
  static async open(model: VisionEncoderDecoderModel, options: SlotSessionOptions): Promise<ModelSlots> {
    const { core, calls, recover } = partsOf(model);
    const open = async () => {
      await recover();
      return await SlotSession.open(core.runner, options);
    };
    const session = await calls.take(open, options.signal);
    return new ModelSlots(model, session);
  }

  /** Slots that are free. */
  get free(): number {
    return this.session.free;
  }

  /** The rows under way. */
  get rows(): readonly SlotRow[] {
    return this.session.rows;
  }

  /** Take a free slot for a picture, [1, channels, height, width]; see `SlotSession.encode`. */
  encode(pixelValues: Tensor): PictureEncoding {
    return this.session.encode(pixelValues);
  }

  /**
   * Let a picture's row join the next step. Its text is that of `generate` with the same options, but where the two best scores
   * of a token are within rounding of each other.
   *
   * @throws {OptionError} As `generate`, and for what a slot does not have: beams, several texts, scores, a streamer.
   */
  admit(encoding: PictureEncoding, options: GenerateOptions = {}): SlotRow {
    const { config, generationConfig } = this.model;
    const { architecture, size } = this.session;
    const generation = resolveGeneration(
      generationConfig,
      options,
      subjectOf(config, architecture, { batch: 1, size }),
    );
    return this.session.admit(encoding, generation);
  }

  /** Let all rows go on; see `SlotSession.step`. */
  step(options: { readonly steps?: number } = {}): Promise<SlotStep[]> {
    return this.session.step(options);
  }

  /** Free the slot of a row or a picture. */
  release(entry: SlotRow | PictureEncoding): void {
    this.session.release(entry);
  }

  /** Release all slots. */
  [Symbol.dispose](): void {
    this.session[Symbol.dispose]();
  }
}
