// Rows that come and go. Think of a bus: it has a fixed number of seats (slots), a picture that is encoded takes one, or one for
// each of its beams, its text rides from step to step beside texts that got on earlier, each with options of its own, and gets
// off when it has ended. Who asks for the steps, and in which order pictures get on, is a scheduler's affair.
import { LimnerError, ShapeError } from "../../errors/mod.ts";
import type { Stream } from "../../graph/mod.ts";
import type { Tensor } from "../../tensor/mod.ts";
import { SlotBuffers } from "../programs/slot_buffers.ts";
import { maxStepsPerRead } from "../programs/max_steps_per_read.ts";
import type { Architecture } from "../../models/mod.ts";
import type { ModelRunner } from "../programs/model_runner.ts";
import type { Generation } from "../request/generation.ts";
import type { Candidate } from "../search/beam_ranking.ts";
import type { Choice } from "../search/text_state.ts";
import { Encoding, type PictureEncoding } from "./picture_encoding.ts";
import { type Decisions, readDecisions, textsOf } from "./read_decisions.ts";
import { SlotBeams } from "./slot_beams.ts";
import { lengthAt, SlotInputs } from "./slot_inputs.ts";
import { SlotRow } from "./slot_row.ts";
import { checkRoom, checkSettings, type SlotSessionOptions } from "./slot_settings.ts";
import { selectionOf, type SlotRows, type SlotStep, type SlotText, type StepRow } from "./slot_text.ts";

/** Steps that were queued for rows. */
interface QueuedSteps {
  readonly rows: readonly StepRow[];
  readonly count: number;
  /** Whether nothing can be queued after them before they are taken. */
  readonly isLast: boolean;
  readonly decided: Promise<Decisions>;
}

/** A session with slots. */
export class SlotSession implements Disposable {
  readonly #buffers: SlotBuffers;
  readonly #inputs: SlotInputs;
  /** What is in each slot. */
  readonly #slots: (StepRow | Encoding | undefined)[];
  #encoding: Encoding | undefined;
  /** Steps whose decisions were not waited for, the first first: a GPU works on the later ones meanwhile. */
  #queued: QueuedSteps[] = [];
  #stepping = false;
  #failure: unknown;
  #disposed = false;

  private constructor(
    readonly runner: ModelRunner,
    readonly options: SlotSessionOptions,
    buffers: SlotBuffers,
    readonly stream: Stream,
  ) {
    this.#buffers = buffers;
    this.#inputs = new SlotInputs(buffers, this.vocabularySize);
    this.#slots = Array(options.slots).fill(undefined);
  }

  /**
   * Compile what a session runs.
   *
   * @throws {OptionError} If the numbers are none that a session can have.
   * @throws {LimitError} If it takes more rows or bytes than are allowed.
   */
  static async open(runner: ModelRunner, options: SlotSessionOptions): Promise<SlotSession> {
    const { slots, maxLength, encodeParts = 1, interpolate = false, signal } = options;
    checkRoom(options, runner.architecture);
    const { encoder } = runner.architecture;
    const programs = {
      encode: await runner.encodePrograms(options.size ?? encoder.imageSize, encodeParts, { signal, interpolate }),
      cross: await runner.crossProgram(signal),
      decode: await runner.slotDecodeProgram(signal),
    };
    const stream = runner.backend.stream({ signal });
    const capacity = Math.ceil(maxLength / 64) * 64;
    const session = new SlotSession(
      runner,
      options,
      new SlotBuffers(runner.backend, stream, programs, {
        slots,
        capacity,
      }),
      stream,
    );
    runner.sessions.add(session);
    return session;
  }

  /** The number V of tokens. */
  get vocabularySize(): number {
    return this.architecture.decoder.vocabularySize;
  }

  /** The model, as it was when the session was opened. */
  get architecture(): Architecture {
    return this.runner.architecture;
  }

  /** The pictures' height and width, in pixels. */
  get size(): readonly [height: number, width: number] {
    return this.options.size ?? this.architecture.encoder.imageSize;
  }

  /** Slots that are free. */
  get free(): number {
    return this.#slots.filter((entry) => entry === undefined).length;
  }

  /** The texts under way. */
  get texts(): readonly SlotText[] {
    return textsOf(this.#stepRows());
  }

  /**
   * Take free slots for a picture. It is encoded part by part, one picture at a time.
   *
   * @param pixelValues Shape [1, channels, height, width], float32.
   * @param numBeams How many slots: one for each of its beams. @default 1
   * @throws {LimnerError} If not as many are free, or another picture is not encoded to its end.
   */
  encode(pixelValues: Tensor, numBeams = 1): PictureEncoding {
    this.#check();
    const shape = [1, this.architecture.encoder.channels, ...this.size];
    if (pixelValues.dataType !== "float32" || pixelValues.shape.join() !== shape.join()) {
      throw new ShapeError(
        `Cannot encode ${pixelValues.dataType} [${pixelValues.shape}] into a slot: expected float32 [${shape}]`,
      );
    }
    if (this.#encoding && this.#encoding.partsLeft > 0) {
      throw new LimnerError("Cannot encode a picture into a slot: the one before is not encoded to its end");
    }
    const slots = [...this.#slots.keys()].filter((slot) => this.#slots[slot] === undefined).slice(0, numBeams);
    if (slots.length < numBeams) {
      const use = slots.length === 0 ? "all" : `all but ${slots.length} of`;
      const asked = numBeams > 1 ? `, and it takes ${numBeams}` : "";
      throw new LimnerError(`Cannot encode a picture: ${use} ${this.#slots.length} slots are in use${asked}`);
    }
    this.#encoding = new Encoding(this.#buffers, pixelValues, slots);
    for (const slot of slots) this.#slots[slot] = this.#encoding;
    return this.#encoding;
  }

  /**
   * Let a picture's text join the next step. What is left of its encoding is queued.
   *
   * @param generation The settings of one picture: `resolveGeneration` makes them of options.
   * @throws {OptionError} If its settings ask for what slots do not have, or for another number of beams than it has slots.
   */
  admit(encoding: PictureEncoding, generation: Generation): SlotText {
    this.#check();
    const { slots } = encoding;
    if (this.#slots[slots[0]] !== encoding) {
      throw new LimnerError("Cannot admit a picture: it is in no slot of the session");
    }
    checkSettings(generation, this.options, this.architecture.decoder, slots.length);
    while (encoding.advance());
    const [first, ...others] = slots;
    const prompt = generation.prompts[0];
    this.#buffers.prompt(first, prompt);
    if (others.length === 0) {
      return this.#slots[first] = new SlotRow(first, generation, this.vocabularySize);
    }
    this.#buffers.spread(first, others, prompt.length);
    const beams = new SlotBeams(slots, generation, this.vocabularySize);
    for (const row of beams.rows) this.#slots[row.slot] = row;
    return beams;
  }

  /** Free the slots of a text or a picture. What a step under way decides for it counts for nothing. */
  release(entry: SlotText | PictureEncoding): void {
    for (const slot of entry.slots) {
      const held = this.#slots[slot];
      const owner = held instanceof Encoding ? held : held?.owner;
      if (owner === undefined || owner !== entry) continue;
      this.#slots[slot] = undefined;
      owner.release();
    }
  }

  /**
   * Let all texts go on by a token, or by as many as `steps` says where programs take them. Where several reads may be under way,
   * the steps after those are queued too, so that a text that comes meanwhile joins the steps after them.
   *
   * @param options.steps The most tokens of a text. @default as many as the device takes between two reads
   * @returns What was decided for each text of the steps that is still under way; empty where there is none.
   * @throws {LimnerError} If a step is under way, or the device failed: then the session is of no use any more.
   */
  async step({ steps = this.runner.backend.stepsPerRead }: { readonly steps?: number } = {}): Promise<SlotStep[]> {
    this.#check();
    if (this.#stepping) throw new LimnerError("Cannot take a step of the slots: one is under way");
    this.#stepping = true;
    try {
      return await this.#step(steps);
    } catch (error) {
      this.#failure = error;
      throw error;
    } finally {
      this.#stepping = false;
    }
  }

  async #step(most: number): Promise<SlotStep[]> {
    this.#releaseAborted();
    const { readsInFlight = 1 } = this.runner.backend;
    // What is left of texts that have ended is not waited for.
    this.#queued = this.#queued.filter(({ rows }) => rows.some(({ owner }) => !owner.released));
    while (this.#queued.length < readsInFlight && !this.#queued.at(-1)?.isLast) {
      const steps = await this.#queue(most);
      if (!steps) break;
      this.#queued.push(steps);
    }
    const next = this.#queued.shift();
    if (!next) return [];
    const decided = await next.decided;
    this.#releaseAborted();
    for (const row of next.rows) row.stepsUnderWay -= next.count;
    return textsOf(next.rows).filter(({ released }) => !released).map((text) => this.#take(text, decided));
  }

  /** Queue steps of all rows, and the reads of what they decide; none where all rows are as long as they may be. */
  async #queue(most: number): Promise<QueuedSteps | undefined> {
    const selection = await this.#selection();
    const rows = this.#stepRows();
    const active = rows.filter((row) => row !== undefined);
    const left = active.map(({ length, stepsUnderWay, generation }) => generation.maxLength - length - stepsUnderWay);
    const longest = Math.max(0, ...left);
    if (longest === 0) return undefined;
    // How such rows go on the host says.
    const isLast = active.some(({ readsScores, isBeam }) => readsScores || isBeam);
    const count = isLast ? 1 : Math.min(Math.max(1, most), maxStepsPerRead, longest);
    const buffers = this.#buffers;
    this.#inputs.writePositions(rows);
    if (selection) {
      buffers.add(selection.program);
      this.#inputs.writeOptions(rows, selection.asked, count);
    }
    for (let at = 0; at < count; at++) {
      const length = Math.max(...active.map((row) => lengthAt(row, at)));
      buffers.decode(rows.length, length, at);
      if (selection?.asked.processors.tokenMask) this.#inputs.writeMasks(rows, at);
      if (selection) buffers.select(selection.program, rows.length, length, at);
    }
    const decided = readDecisions(buffers, rows, { count, asked: selection?.asked });
    decided.catch(() => {}); // steps that are thrown away are not waited for
    for (const row of active) row.stepsUnderWay += count;
    return { rows: active, count, isLast, decided };
  }

  /** Free the slots of texts whose own signal is aborted. */
  #releaseAborted(): void {
    for (const text of this.texts) if (text.generation.signal?.aborted) this.release(text);
  }

  /** Let a text go on as was decided; what is wrong with its options fails it alone. */
  #take(text: SlotText, decided: Decisions): SlotStep {
    try {
      if (decided.failures.has(text)) throw decided.failures.get(text);
      const { tokens, margins } = text instanceof SlotBeams
        ? this.#advance(text, decided.candidates.get(text)!)
        : this.#append(text as SlotRow, decided.choices.get(text)!);
      return { text, tokens, done: text.released, ...(this.options.margins && { margins }) };
    } catch (error) {
      this.release(text);
      return { text, tokens: [], done: true, error };
    }
  }

  #append(row: SlotRow, choices: readonly Choice[]) {
    if (row.host) this.#buffers.writeTokens(row.slot, [choices[0].token], row.length);
    const tokens = row.text.take(choices);
    const margins = choices.slice(0, tokens.length).flatMap(({ margin }) => margin ?? []);
    if (!row.text.goesOn) this.release(row);
    return { tokens, margins };
  }

  #advance(beams: SlotBeams, candidates: readonly (readonly Candidate[])[]) {
    const { length } = beams;
    const { follows, margin } = beams.advance(candidates);
    if (follows) {
      if (follows.moves.length > 0) this.#buffers.moveRows(follows.moves, length);
      for (const { slot, token } of follows.tokens) this.#buffers.writeTokens(slot, [token], length);
    } else this.release(beams);
    const { sequences: [best], promptLengths: [begin] } = beams.output;
    return { tokens: follows ? [] : best.slice(begin), margins: [margin] };
  }

  /** The program that takes the tokens of the rows there are, if any row leaves them to one. */
  async #selection() {
    for (;;) {
      const rows = this.#stepRows().filter((row) => row !== undefined);
      const own = rows.filter(({ readsScores }) => !readsScores);
      if (own.length === 0) return undefined;
      const asked = selectionOf(own, { vocabulary: this.vocabularySize, margins: this.options.margins ?? false });
      const program = await this.runner.slotSelectionProgram(asked);
      // Rows may have come while it was compiled.
      if (this.#stepRows().every((row) => !row || rows.includes(row))) return { asked, program };
    }
  }

  /** The rows up to the last slot in use. */
  #stepRows(): SlotRows {
    const rows = this.#slots.map((entry) => entry instanceof Encoding ? undefined : entry);
    return rows.slice(0, 1 + rows.findLastIndex((row) => row !== undefined));
  }

  #check(): void {
    if (this.#disposed) throw new LimnerError("Cannot use slots: the session was released");
    if (this.#failure) throw this.#failure;
  }

  /** Wait until what is queued is done. */
  async settled(): Promise<void> {
    await this.#buffers.settled();
  }

  /** Wait, and read the memory of a slot by name: caches, keys and values of the encoder, tokens. For tests. */
  readSlot(slot: number): Promise<Map<string, Tensor["data"]>> {
    return this.#buffers.readSlot(slot);
  }

  /** Release bindings, buffers and the stream. */
  [Symbol.dispose](): void {
    if (this.#disposed) return;
    this.#disposed = true;
    this.runner.sessions.delete(this);
    this.#buffers[Symbol.dispose]();
    this.stream[Symbol.dispose]();
  }
}
