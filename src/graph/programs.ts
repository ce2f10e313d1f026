// The programs of one model on one backend, each compiled once.
import { attributeKey } from "./attribute_key.ts";
import type { Backend, Program, Weights } from "./backend.ts";
import type { Graph } from "./graph.ts";

/** Programs of one kind that are kept, such as those for pictures of different sizes. */
const kept = 4;

/** A program with the graph it was compiled from. */
export interface Compiled {
  readonly graph: Graph;
  readonly program: Program;
}

/** Compiles programs when they are first asked for; of each kind, those used last are kept. */
export class Programs implements AsyncDisposable {
  /** By kind and then by what it was built for, the one used last at the end. */
  readonly #kinds = new Map<string, Map<string, Promise<Compiled>>>();

  /** @param weights What the programs read; they stay the caller's. */
  constructor(readonly backend: Backend, readonly weights: Weights) {}

  /**
   * Find a program, or compile it. If that fails whoever asked hears of it, and the next one who asks has it tried again.
   *
   * @param kind What kind it is of.
   * @param options What tells it from others of its kind: plain data.
   * @param build Builds its graph.
   */
  get(kind: string, options: unknown, build: () => Graph, signal?: AbortSignal): Promise<Compiled> {
    const key = attributeKey(options);
    const alike = this.#kinds.get(kind) ?? new Map<string, Promise<Compiled>>();
    this.#kinds.set(kind, alike);
    const compiled = alike.get(key) ?? this.#compile(build(), signal);
    alike.delete(key);
    alike.set(key, compiled);
    compiled.catch(() => {
      if (alike.get(key) === compiled) alike.delete(key);
    });
    for (const old of [...alike.keys()].slice(0, -kept)) void forget(alike, old);
    return compiled;
  }

  async #compile(graph: Graph, signal?: AbortSignal): Promise<Compiled> {
    return { graph, program: await this.backend.compile(graph, this.weights, { signal }) };
  }

  /** Release the programs. */
  async [Symbol.asyncDispose](): Promise<void> {
    for (const alike of this.#kinds.values()) {
      await Promise.all([...alike.keys()].map((key) => forget(alike, key)));
    }
  }
}

async function forget(programs: Map<string, Promise<Compiled>>, key: string): Promise<void> {
  const compiled = programs.get(key);
  programs.delete(key);
  await compiled?.then(({ program }) => program[Symbol.dispose](), () => {});
}
