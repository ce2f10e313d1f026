// Continuous batching. Think of a bus that never stops for long: a picture that arrives is encoded into a free seat (slot), or
// into one for each of its beams, while those that ride go on, its text joins the next step, and its seats are free as soon as
// it has ended. What slots do not have, such as pictures of another size, runs through `generate`, one call at a time beside the
// bus.
import { setImmediate } from "node:timers/promises";
import { type PictureEncoding, resolveGeneration, type SlotStep, type SlotText } from "../../generation/mod.ts";
import { subjectOf } from "../../model/generation_subject.ts";
import { ModelSlots } from "../../model/model_slots.ts";
import { partsOf, type VisionEncoderDecoderModel } from "../../model/vision_encoder_decoder_model.ts";
import { HttpError } from "../http_error.ts";
import type { Metrics } from "../metrics.ts";
import { FairQueue } from "./fair_queue.ts";
import { type Job, JobEntry, type JobResult, type JobScheduler } from "./job.ts";

/** How much is done at once. */
export interface SchedulerOptions {
  readonly slots: number;
  /** Pictures that may wait. */
  readonly maxWaiting: number;
  /** Parts that an encoding is cut into. @default as its size asks for: 1 of a small encoder, 4 of ViT's base size */
  readonly encodeParts?: number;
  /** Whether results say how near another token was. @default false */
  readonly margins?: boolean;
  readonly metrics: Metrics;
}

/** Layers times width of a part of an encoding: a quarter of ViT's base size. */
const widthOfPart = 12 * 768 / 4;

/** Room of a slot where the model's settings ask for less, in tokens; it is a multiple of this. */
const roomStep = 64;

/** Shares a model between callers. */
export class Scheduler implements JobScheduler {
  readonly #waiting = new FairQueue<JobEntry>();
  /** Jobs for `generate`. */
  readonly #apart = new FairQueue<JobEntry>();
  readonly #riders = new Map<SlotText, JobEntry>();
  /** The picture that is being encoded. */
  #boarding: { readonly entry: JobEntry; readonly encoding: PictureEncoding } | undefined;
  #slots: ModelSlots | undefined;
  #driving: Promise<void> | undefined;
  #drivingApart: Promise<void> | undefined;
  #closed = false;
  #failed = false;

  constructor(readonly model: VisionEncoderDecoderModel, readonly options: SchedulerOptions) {
    const { metrics } = options;
    metrics.watch("limner_queue_length", () => this.#waiting.length + this.#apart.length);
    metrics.watch("limner_slots", () => options.slots);
    metrics.watch("limner_slots_in_use", () => this.#slots ? options.slots - this.#slots.free : 0);
    metrics.watch("limner_handles", () => model.backend.counters.liveHandles);
  }

  get ready(): boolean {
    return !this.#closed && !this.#failed && this.#slots !== undefined;
  }

  async prepare(): Promise<void> {
    if (this.#closed || this.#slots) return;
    await this.#wake();
  }

  async run(job: Job): Promise<JobResult> {
    if (this.#closed) throw new HttpError(503, "closing", "The server takes no more requests");
    job.signal.throwIfAborted();
    const slots = this.#slotsFor(job);
    const line = slots > 0 ? this.#waiting : this.#apart;
    if (this.#waiting.length + this.#apart.length >= this.options.maxWaiting) {
      this.options.metrics.add("limner_rejected_total");
      throw new HttpError(429, "queue_full", "Too many pictures wait: try again later", { "retry-after": "1" });
    }
    const entry = new JobEntry(job, slots);
    const abort = () => this.#abort(entry);
    job.signal.addEventListener("abort", abort);
    try {
      line.push(entry);
      if (line === this.#apart) this.#drivingApart ??= this.#driveApart();
      else this.#wake();
      return await entry.result;
    } finally {
      job.signal.removeEventListener("abort", abort);
    }
  }

  /** The most tokens of a slot. */
  get #room(): number {
    const { max_length: whole, max_new_tokens: fresh } = this.model.generationConfig;
    const asked = Math.max(Number(whole ?? 0), Number(fresh ?? 20) + 1);
    const possible = (this.#architecture.decoder.maxPositions ?? Infinity) + 1;
    return Math.min(Math.ceil(asked / roomStep) * roomStep, possible);
  }

  get #architecture() {
    return partsOf(this.model).architecture;
  }

  /** The slots that a job takes; 0 if they lack what it asks for. @throws {LimnerError} If its options are none that `generate` takes. */
  #slotsFor({ pixelValues, options }: Job): number {
    const architecture = this.#architecture;
    const [, , height, width] = pixelValues.shape;
    const subject = subjectOf(this.model.config, architecture, { batch: 1, size: [height, width] });
    const generation = resolveGeneration(this.model.generationConfig, options, subject);
    const [ownHeight, ownWidth] = architecture.encoder.imageSize;
    const { numBeams } = generation;
    const fits = numBeams <= this.options.slots && generation.numReturnSequences === 1 &&
      !generation.interpolatePosEncoding && height === ownHeight && width === ownWidth &&
      generation.maxLength <= this.#room;
    return fits ? numBeams : 0;
  }

  #abort(entry: JobEntry): void {
    if (entry.settled) return;
    this.options.metrics.add("limner_aborted_total");
    if (!this.#waiting.remove(entry)) this.#apart.remove(entry);
    if (this.#boarding?.entry === entry) {
      this.#slots?.release(this.#boarding.encoding);
      this.#boarding = undefined;
    }
    for (const [text, rider] of this.#riders) {
      if (rider !== entry) continue;
      this.#slots?.release(text);
      this.#riders.delete(text);
    }
    entry.reject(entry.job.signal.reason);
  }

  /** Go on, if the bus stands. */
  #wake(): Promise<void> {
    return this.#driving ??= this.#drive().catch((error) => this.#fail(error)).finally(() => {
      this.#driving = undefined;
      // Who came while a failure was handled is not left behind.
      if (this.#waiting.length > 0) this.#wake();
    });
  }

  async #drive(): Promise<void> {
    const slots = this.#slots ??= await this.#open();
    while (this.#riders.size > 0 || this.#waiting.length > 0 || this.#boarding) {
      this.#board(slots);
      const streams = [...this.#riders.values()].some(({ job }) => job.onTokens);
      const steps = await slots.step(streams ? { steps: 1 } : {});
      this.#failed = false;
      if (steps.length > 0) this.options.metrics.add("limner_steps_total");
      for (const step of steps) this.#deliver(step);
      // Some backends never let go of the thread: requests come between steps.
      await setImmediate();
    }
  }

  #open(): Promise<ModelSlots> {
    const { slots, encodeParts, margins } = this.options;
    const { encoder: { hiddenSize }, layerCounts } = this.#architecture;
    const layers = [...layerCounts].filter(([key]) => key.startsWith("encoder.")).reduce((sum, [, n]) => sum + n, 0);
    const parts = encodeParts ?? Math.max(1, Math.round(layers * hiddenSize / widthOfPart));
    return ModelSlots.open(this.model, { slots, maxLength: this.#room, encodeParts: parts, margins });
  }

  /** Encode a part of a picture if texts are under way, so that none of them waits for longer; else a whole picture. */
  #board(slots: ModelSlots): void {
    const alone = slots.texts.length === 0;
    do {
      this.#boarding ??= this.#begin(slots);
      if (!this.#boarding) return;
      const { entry, encoding } = this.#boarding;
      if (encoding.advance()) continue;
      this.#boarding = undefined;
      entry.admit();
      try {
        this.#riders.set(slots.admit(encoding, { ...entry.job.options, outputConfidences: true }), entry);
      } catch (error) {
        slots.release(encoding);
        entry.reject(error);
      }
    } while (alone && slots.texts.length === 0);
  }

  #begin(slots: ModelSlots): { entry: JobEntry; encoding: PictureEncoding } | undefined {
    // Who is next waits until there is room for all of its beams: nobody who asks for less goes before it.
    while (slots.free >= (this.#waiting.next?.slots ?? Infinity)) {
      const entry = this.#waiting.shift()!;
      entry.begin();
      try {
        return { entry, encoding: slots.encode(entry.job.pixelValues, entry.slots) };
      } catch (error) {
        entry.reject(error);
      }
    }
  }

  #deliver({ text, tokens, done, margins, error }: SlotStep): void {
    const entry = this.#riders.get(text);
    if (!entry) return;
    if (margins) entry.takeMargins(margins);
    this.options.metrics.add("limner_tokens_total", {}, tokens.length);
    try {
      entry.job.onTokens?.(tokens);
    } catch (error) {
      // Whoever listens fails alone.
      this.#slots?.release(text);
      this.#riders.delete(text);
      return entry.reject(error);
    }
    if (!done) return;
    this.#riders.delete(text);
    if (error === undefined) entry.resolve(text.output);
    else entry.reject(error);
  }

  /** Jobs that slots cannot take, one after another. */
  async #driveApart(): Promise<void> {
    for (let entry = this.#apart.shift(); entry; entry = this.#apart.shift()) {
      const { pixelValues, options, signal, onTokens } = entry.job;
      const streamer = onTokens && { put: ([tokens]: readonly (readonly number[])[]) => onTokens(tokens), end() {} };
      entry.begin();
      entry.admit();
      try {
        const output = await this.model.generate(pixelValues, {
          ...options,
          signal,
          streamer,
          outputConfidences: true,
        });
        this.options.metrics.add("limner_tokens_total", {}, output.lengths[0] - output.promptLengths[0]);
        if (!entry.settled) entry.resolve(output);
      } catch (error) {
        if (!entry.settled) entry.reject(error);
      }
    }
    this.#drivingApart = undefined;
  }

  /** The slots failed: those in them fail with them; if there are none, all that wait. New slots are made for the next. */
  #fail(error: unknown): void {
    this.#failed = true;
    const lost = [...this.#riders.values(), ...this.#boarding ? [this.#boarding.entry] : []];
    if (!this.#slots) { for (let entry; (entry = this.#waiting.shift());) lost.push(entry); }
    this.#riders.clear();
    this.#boarding = undefined;
    this.#slots?.[Symbol.dispose]();
    this.#slots = undefined;
    for (const entry of lost) entry.reject(error);
  }

  /** Take no more jobs, wait for those there are, and release the slots. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    while (this.#driving || this.#drivingApart) await Promise.all([this.#driving, this.#drivingApart]);
    this.#slots?.[Symbol.dispose]();
    this.#slots = undefined;
  }
}
