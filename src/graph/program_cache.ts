// A cache of compiled programs: those of one model on one backend, each compiled once.
import { attributeKey } from "./attribute_key.ts";
import type { Backend, Program, Weights } from "./backend.ts";
import type { Graph } from "./graph.ts";

/** How many programs of one kind are kept, such as those for pictures of different sizes. */
const keptPerKind = 4;

/** A program with the graph it was compiled from. */
export interface CompiledProgram {
  readonly graph: Graph;
  readonly program: Program;
}

/** Compiles programs when they are first asked for, and keeps the most recently used ones of each kind. */
export class ProgramCache implements AsyncDisposable {
  /** Programs by kind and then by the key of their options, the most recently used last. */
  readonly #kinds = new Map<string, Map<string, Promise<CompiledProgram>>>();

  /** @param weights What the programs read; they stay the caller's. */
  constructor(readonly backend: Backend, readonly weights: Weights) {}

  /**
   * Find a program, or compile it. If compiling fails, all who are waiting for it get the error, and the next call tries
   * again.
   *
   * @param kind The kind of program: the most recently used ones of each kind are kept.
   * @param options What distinguishes it from others of its kind: plain data.
   * @param build Builds its graph.
   */
  get(kind: string, options: unknown, build: () => Graph, signal?: AbortSignal): Promise<CompiledProgram> {
    const key = attributeKey(options);
    const alike = this.#kinds.get(kind) ?? new Map<string, Promise<CompiledProgram>>();
    this.#kinds.set(kind, alike);
    const compiled = alike.get(key) ?? this.#compile(build(), signal);
    alike.delete(key);
    alike.set(key, compiled);
    compiled.catch(() => {
      if (alike.get(key) === compiled) alike.delete(key);
    });
    for (const old of [...alike.keys()].slice(0, -keptPerKind)) void forget(alike, old);
    return compiled;
  }

  async #compile(graph: Graph, signal?: AbortSignal): Promise<CompiledProgram> {
    return { graph, program: await this.backend.compile(graph, this.weights, { signal }) };
  }

  /** Release the programs. */
  async [Symbol.asyncDispose](): Promise<void> {
    for (const alike of this.#kinds.values()) {
      await Promise.all([...alike.keys()].map((key) => forget(alike, key)));
    }
  }
}

async function forget(programs: Map<string, Promise<CompiledProgram>>, key: string): Promise<void> {
  const compiled = programs.get(key);
  programs.delete(key);
  await compiled?.then(({ program }) => program[Symbol.dispose](), () => {});
}
