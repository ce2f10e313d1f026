// A model on a backend: its weights, its compiled programs, and the buffers of the generation under way.
import { takeTurn } from "../../async/delay.ts";
import {
  attributeKey,
  type Backend,
  type CacheType,
  type CompiledProgram,
  ProgramCache,
  type Stream,
  type Weights,
  type WeightStorage,
} from "../../graph/mod.ts";
import { cutGraph } from "../../passes/mod.ts";
import type { StoredWeights } from "../../weights/mod.ts";
import { type Architecture, buildCrossKeysValues, buildDecode, buildEncode } from "../../models/mod.ts";
import { noProcessors } from "../scores/processor_list.ts";
import { buildSelectionProgram, type Selection } from "./selection_program.ts";
import type { SlotSelection } from "./slot_selection.ts";
import { Session, type SessionShape } from "./session.ts";

/** How a runner holds its weights. */
export interface RunnerOptions {
  readonly storage?: WeightStorage;
  readonly lowMemory?: boolean;
  readonly signal?: AbortSignal;
}

/** Runs one model's programs on one backend. */
export class ModelRunner implements AsyncDisposable {
  #architecture: Architecture;
  readonly #programs: ProgramCache;
  #session: Session | undefined;
  /** Sessions with slots that are open: they end with the programs that they run. */
  readonly sessions = new Set<Disposable>();
  #disposed = false;

  private constructor(
    architecture: Architecture,
    readonly backend: Backend,
    readonly weights: Weights,
  ) {
    this.#architecture = architecture;
    this.#programs = new ProgramCache(backend, weights);
  }

  /**
   * Load a model's weights and compile what `captions` and the command need.
   *
   * @throws {FormatError} If a parameter is missing.
   * @throws {ShapeError} If a parameter has another shape than the configuration says.
   */
  static async create(
    architecture: Architecture,
    backend: Backend,
    source: StoredWeights,
    options: RunnerOptions = {},
  ): Promise<ModelRunner> {
    const weights = await backend.open(source, { storage: options.storage, lowMemory: options.lowMemory });
    const runner = new ModelRunner(architecture, backend, weights);
    try {
      const { imageSize } = architecture.encoder;
      // The decoder takes longest: it is compiled while the others are built and compiled.
      const decoder = runner.decodeProgram(options.signal);
      decoder.catch(() => {});
      await takeTurn();
      await Promise.all([
        decoder,
        runner.encodeProgram(imageSize, { signal: options.signal }),
        runner.crossProgram(options.signal),
        runner.selectionProgram({ kind: "greedy", processors: noProcessors, confident: true }, options.signal),
      ]);
    } catch (error) {
      await runner[Symbol.asyncDispose]();
      throw error;
    }
    return runner;
  }

  /** The type of the caches; rows of them are copied in words, which have two numbers of float16. */
  get cacheType(): CacheType {
    return this.architecture.decoder.headWidth % 2 === 0 ? this.weights.cacheType ?? "float32" : "float32";
  }

  /** What the programs are of. */
  get architecture(): Architecture {
    return this.#architecture;
  }

  /**
   * Run the same model with another adapter, or with none: programs are compiled again when they are next asked for, and the
   * weights stay on the device as they are.
   */
  async adapt(adapter: Architecture["adapter"]): Promise<void> {
    this.releaseSession();
    this.#releaseSlots();
    await this.#programs[Symbol.asyncDispose]();
    this.#architecture = { ...this.#architecture, adapter };
  }

  /** The encode program for pictures of a size. */
  encodeProgram(
    size: readonly [number, number],
    { signal, interpolate = false }: { signal?: AbortSignal; interpolate?: boolean } = {},
  ): Promise<CompiledProgram> {
    const build = () => buildEncode(this.architecture, size, { interpolate });
    return this.#programs.get("encode", { size, interpolate }, build, signal);
  }

  /** The encoder's programs for pictures of a size, as many parts of nearly equal work as asked for, to be run in turn. */
  async encodePrograms(
    size: readonly [number, number],
    parts: number,
    { signal, interpolate = false }: { signal?: AbortSignal; interpolate?: boolean } = {},
  ): Promise<CompiledProgram[]> {
    if (parts === 1) return [await this.encodeProgram(size, { signal, interpolate })];
    const graphs = cutGraph(buildEncode(this.architecture, size, { interpolate }), parts);
    const programs = graphs.map((graph, part) =>
      this.#programs.get(`encode ${part + 1}/${parts}`, { size, interpolate }, () => graph, signal)
    );
    return await Promise.all(programs);
  }

  /** The program of the encoder's keys and values. */
  crossProgram(signal?: AbortSignal): Promise<CompiledProgram> {
    return this.#programs.get(
      "cross",
      {},
      () => buildCrossKeysValues(this.architecture, { cacheType: this.cacheType }),
      signal,
    );
  }

  /** The decode program. */
  decodeProgram(signal?: AbortSignal): Promise<CompiledProgram> {
    return this.#programs.get(
      "decode",
      {},
      () => buildDecode(this.architecture, { cacheType: this.cacheType }),
      signal,
    );
  }

  /** The decode program whose rows are at positions of their own. */
  slotDecodeProgram(signal?: AbortSignal): Promise<CompiledProgram> {
    const build = () => buildDecode(this.architecture, { ownPositions: true, cacheType: this.cacheType });
    return this.#programs.get("decode by slot", {}, build, signal);
  }

  /** The program that chooses tokens, if any does. */
  async selectionProgram(selection: Selection, signal?: AbortSignal): Promise<CompiledProgram | undefined> {
    if (selection.kind === "logits") return undefined;
    const { vocabularySize: vocabulary } = this.architecture.decoder;
    const caches = selection.kind === "beams" ? (await this.decodeProgram(signal)).graph.states : undefined;
    const build = () => buildSelectionProgram(selection, { vocabulary, caches })!;
    return await this.#programs.get("select", selection, build, signal);
  }

  /** The program that takes the tokens of rows in slots. */
  async slotSelectionProgram(selection: SlotSelection, signal?: AbortSignal): Promise<CompiledProgram> {
    const { buildSlotSelection } = await import("./slot_selection.ts");
    const { vocabularySize } = this.architecture.decoder;
    // Each a kind of its own: sessions use several in turn, and there are few.
    const kind = `select by slot ${attributeKey(selection)}`;
    return await this.#programs.get(kind, {}, () => buildSlotSelection(selection, vocabularySize), signal);
  }

  /**
   * The buffers for a generation; those of the last one are used again where they fit.
   *
   * @param stream Where the generation's work is queued.
   */
  async session(shape: SessionShape, stream: Stream): Promise<Session> {
    if (this.#session?.fits(shape)) {
      this.#session.stream = stream;
      return this.#session;
    }
    this.releaseSession();
    const programs = {
      encode: await this.encodeProgram(shape.size, { interpolate: shape.interpolate }),
      cross: await this.crossProgram(),
      decode: await this.decodeProgram(),
      select: await this.selectionProgram(shape.selection),
    };
    return this.#session = new Session(this.backend, shape, programs, stream);
  }

  /** Release the buffers of the last generation. */
  releaseSession(): void {
    this.#session?.[Symbol.dispose]();
    this.#session = undefined;
  }

  #releaseSlots(): void {
    for (const session of this.sessions) session[Symbol.dispose]();
  }

  /** Release buffers, programs and weights; the backend stays, and may be released once this has ended. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#disposed) return;
    this.#disposed = true;
    this.#session?.[Symbol.dispose]();
    this.#releaseSlots();
    await this.#programs[Symbol.asyncDispose]();
    this.weights[Symbol.dispose]();
  }
}
