// A model on a backend: its weights, its compiled programs, and the buffers of the generation under way.
import {
  type Backend,
  type CompiledProgram,
  ProgramCache,
  type Stream,
  type Weights,
  type WeightStorage,
} from "../../graph/mod.ts";
import type { StoredWeights } from "../../weights/mod.ts";
import { type Architecture, buildCrossKeysValues, buildDecode, buildEncode } from "../../models/mod.ts";
import { noProcessors } from "../scores/processor_list.ts";
import { buildSelectionProgram, type Selection } from "./selection_program.ts";
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
      // The decoder first: it has the largest parameter, of which there are for a moment two copies.
      await Promise.all([
        runner.decodeProgram(options.signal),
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

  /** The program of the encoder's keys and values. */
  crossProgram(signal?: AbortSignal): Promise<CompiledProgram> {
    return this.#programs.get("cross", {}, () => buildCrossKeysValues(this.architecture), signal);
  }

  /** The decode program. */
  decodeProgram(signal?: AbortSignal): Promise<CompiledProgram> {
    return this.#programs.get("decode", {}, () => buildDecode(this.architecture), signal);
  }

  /** The program that chooses tokens, if any does. */
  async selectionProgram(selection: Selection, signal?: AbortSignal): Promise<CompiledProgram | undefined> {
    if (selection.kind === "logits") return undefined;
    const { vocabularySize: vocabulary } = this.architecture.decoder;
    const caches = selection.kind === "beams" ? (await this.decodeProgram(signal)).graph.states : undefined;
    const build = () => buildSelectionProgram(selection, { vocabulary, caches })!;
    return await this.#programs.get("select", selection, build, signal);
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

  /** Release buffers, programs and weights; the backend stays, and may be released once this has ended. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#disposed) return;
    this.#disposed = true;
    this.#session?.[Symbol.dispose]();
    await this.#programs[Symbol.asyncDispose]();
    this.weights[Symbol.dispose]();
  }
}
