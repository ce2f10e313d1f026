// A model on a backend: its weights, its compiled programs, and the buffers of the generation under way.
// Programs are compiled once; of those for a size of pictures, or for a way of choosing tokens, the last four are kept.
import type { Backend, Graph, Program, Stream, Weights, WeightStorage } from "../graph/mod.ts";
import type { StoredWeights } from "../weights/mod.ts";
import { type Architecture, buildCrossKeysValues, buildDecode, buildEncode } from "../models/mod.ts";
import { noRules } from "./program_rules.ts";
import { buildSelect, type Selection } from "./select.ts";
import { Session, type SessionShape } from "./session.ts";

/** Encode programs kept for pictures of different sizes, and programs for different ways of choosing tokens. */
const kept = 4;

/** A program with the graph it was compiled from. */
export interface Compiled {
  readonly graph: Graph;
  readonly program: Program;
}

/** How a runner holds its weights. */
export interface RunnerOptions {
  readonly storage?: WeightStorage;
  readonly lowMemory?: boolean;
  readonly signal?: AbortSignal;
}

/** Runs one model's programs on one backend. */
export class ModelRunner implements AsyncDisposable {
  readonly #programs = new Map<string, Promise<Compiled>>();
  #session: Session | undefined;
  #disposed = false;

  private constructor(
    readonly architecture: Architecture,
    readonly backend: Backend,
    readonly weights: Weights,
  ) {}

  /**
   * Load a model's weights and compile what a caption needs.
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
        runner.selectProgram({ kind: "greedy", rules: noRules }, options.signal),
      ]);
    } catch (error) {
      await runner[Symbol.asyncDispose]();
      throw error;
    }
    return runner;
  }

  /** The encode program for pictures of a size. */
  encodeProgram(
    size: readonly [number, number],
    { signal, interpolate = false }: { signal?: AbortSignal; interpolate?: boolean } = {},
  ): Promise<Compiled> {
    const key = `encode ${size}${interpolate ? " interpolated" : ""}`;
    return this.#compileOneOf("encode ", key, () => buildEncode(this.architecture, size, { interpolate }), signal);
  }

  /** The program of the encoder's keys and values. */
  crossProgram(signal?: AbortSignal): Promise<Compiled> {
    return this.#compile("cross", () => buildCrossKeysValues(this.architecture), signal);
  }

  /** The decode program. */
  decodeProgram(signal?: AbortSignal): Promise<Compiled> {
    return this.#compile("decode", () => buildDecode(this.architecture), signal);
  }

  /** The program that chooses tokens, if any does. */
  async selectProgram(selection: Selection, signal?: AbortSignal): Promise<Compiled | undefined> {
    if (selection.kind === "logits") return undefined;
    const { vocabularySize: vocabulary } = this.architecture.decoder;
    const caches = selection.kind === "beams" ? (await this.decodeProgram(signal)).graph.states : undefined;
    const key = `select ${JSON.stringify(selection)}`;
    return await this.#compileOneOf("select ", key, () => buildSelect(selection, { vocabulary, caches })!, signal);
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
    return this.#session = await Session.create(this, shape, stream);
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
    await Promise.all([...this.#programs.keys()].map((key) => this.#forget(key)));
    this.weights[Symbol.dispose]();
  }

  #compile(key: string, build: () => Graph, signal?: AbortSignal): Promise<Compiled> {
    const known = this.#programs.get(key);
    if (known) return known;
    const graph = build();
    const compiled = this.backend.compile(graph, this.weights, { signal }).then((program) => ({ graph, program }));
    this.#programs.set(key, compiled);
    // A failure is told to whoever asked, and may be tried again.
    compiled.catch(() => this.#programs.delete(key));
    return compiled;
  }

  /** Of the programs whose keys begin alike the ones used last are kept. */
  #compileOneOf(kind: string, key: string, build: () => Graph, signal?: AbortSignal): Promise<Compiled> {
    const compiled = this.#compile(key, build, signal);
    // The one just used is the last to go.
    this.#programs.delete(key);
    this.#programs.set(key, compiled);
    const alike = [...this.#programs.keys()].filter((name) => name.startsWith(kind));
    for (const old of alike.slice(0, -kept)) void this.#forget(old);
    return compiled;
  }

  async #forget(key: string): Promise<void> {
    const compiled = this.#programs.get(key);
    this.#programs.delete(key);
    await compiled?.then(({ program }) => program[Symbol.dispose](), () => {});
  }
}
