// A model's session with slots: texts that come and go, each with options of its own, as `generate` has them. Whoever serves
// several callers holds one and asks it for steps.
import {
  type GenerateOptions,
  type PictureEncoding,
  resolveGeneration,
  type SlotSessionOptions,
  type SlotStep,
  type SlotText,
} from "../generation/mod.ts";
import { SlotSession } from "../generation/slots/slot_session.ts";
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
 * const text = slots.admit(slots.encode(pixelValues), { doSample: true, seed: 1 });
 * while (!text.released) await slots.step();
 * console.log(text.output.sequences);
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

  /** The texts under way. */
  get texts(): readonly SlotText[] {
    return this.session.texts;
  }

  /** Take free slots for a picture, [1, channels, height, width], one for each of its beams; see `SlotSession.encode`. */
  encode(pixelValues: Tensor, numBeams = 1): PictureEncoding {
    return this.session.encode(pixelValues, numBeams);
  }

  /**
   * Let a picture's text join the next step. It is that of `generate` with the same options, but where two scores that decide it
   * are within rounding of each other.
   *
   * @throws {OptionError} As `generate`, and for what slots do not have: several texts without beams, scores, a streamer.
   */
  admit(encoding: PictureEncoding, options: GenerateOptions = {}): SlotText {
    const { config, generationConfig } = this.model;
    const { architecture, size } = this.session;
    const generation = resolveGeneration(
      generationConfig,
      options,
      subjectOf(config, architecture, { batch: 1, size }),
    );
    return this.session.admit(encoding, generation);
  }

  /** Let all texts go on; see `SlotSession.step`. */
  step(options: { readonly steps?: number } = {}): Promise<SlotStep[]> {
    return this.session.step(options);
  }

  /** Free the slots of a text or a picture. */
  release(entry: SlotText | PictureEncoding): void {
    this.session.release(entry);
  }

  /** Release all slots. */
  [Symbol.dispose](): void {
    this.session[Symbol.dispose]();
  }
}
