// A program's steps for given maxima of the sizes: which dispatches, their parameters, and which temporaries share a buffer.
import { WebGpuError } from "../../../src/errors/mod.ts";
import { type Binding, type Dimension, dimensionNames, resolveDimension, type Sizes } from "../../../src/graph/mod.ts";
import { type Dispatch, maxIterations } from "../kernels/shader.ts";
import { type Memory, planMemory } from "./temporary_memory.ts";
import { inSequences, type Sequence } from "./sequences.ts";
import { chosen, type Step } from "./step.ts";
import type { Resolve, Resolved } from "./view.ts";

/** A dispatch, or one of those that it is repeated in. */
export interface Entry {
  readonly dispatch: Dispatch;
  /** Which of the dispatches it is. */
  readonly index: number;
  /** The word of the block at which its parameters begin. */
  readonly at: number;
  /** The value of the repeated parameter. */
  readonly start: number;
  readonly workgroups: readonly [number, number, number];
  /** Whether the workgroups depend on sizes that may differ in an execution. */
  readonly varies: boolean;
}

/** A function that resolves dimensions and remembers the results. */
export function resolver(sizes: Sizes): Resolve {
  const known = new Map<Dimension, number>();
  return (dimension) => {
    if (typeof dimension === "number") return dimension;
    let value = known.get(dimension);
    if (value === undefined) known.set(dimension, value = resolveDimension(dimension, sizes));
    return value;
  };
}

/** A word of a block that depends on a size which may differ in an execution. */
interface VaryingWord {
  readonly word: number;
  readonly value: Resolved;
}

/** What is computed from sizes, and whether it depends on sizes that may differ in an execution. */
type Evaluate = <T>(of: (resolve: Resolve) => T) => { readonly value: T; readonly varies: boolean };

/** A program's dispatches for the maxima of a binding. */
export interface Schedule {
  readonly dispatches: readonly Dispatch[];
  readonly memory: Memory;
  readonly texels: Memory;
  readonly entries: readonly Entry[];
  /** The parameters of all entries. */
  readonly block: Uint32Array;
  readonly varying: readonly VaryingWord[];
}

/** The parameters of dispatches, one after another. */
class Block {
  readonly words: number[] = [];
  readonly varying: VaryingWord[] = [];

  constructor(readonly evaluate: Evaluate, readonly step: number) {}

  /** Add a dispatch's parameters. @returns Where they begin, in words. */
  add({ parameters, repeat }: Dispatch, start: number): number {
    const at = this.words.length;
    for (const [i, parameter] of parameters.entries()) {
      const value: Resolved = typeof parameter === "function" ? parameter : (resolve) => resolve(parameter);
      const repeated = repeat?.parameter === i;
      const found = this.evaluate(repeated ? () => start : value);
      if (found.varies) this.varying.push({ word: at + i, value });
      this.words.push(found.value >>> 0);
    }
    while (this.words.length === at || this.words.length % this.step !== 0) this.words.push(0);
    return at;
  }
}

/**
 * Choose a program's dispatches for the maxima of a binding.
 *
 * @param options.alignment The alignment of each entry's parameters, in bytes.
 * @param options.sequences Kernels that do the work of several dispatches.
 * @throws {WebGpuError} If a loop would be too long for the device.
 */
export function schedule(
  steps: readonly Step[],
  { graph, maxima, fixed }: Binding,
  { alignment, sequences = [] }: { alignment: number; sequences?: readonly Sequence[] },
): Schedule {
  const resolve = resolver(maxima);
  const evaluate: Evaluate = (of) => {
    let varies = false;
    const value = of((dimension) => {
      varies ||= typeof dimension === "string" && dimensionNames(dimension).some((name) => !fixed.has(name));
      return resolve(dimension);
    });
    return { value, varies };
  };
  // Parameters are read as vectors of four words.
  const block = new Block(evaluate, Math.max(16, alignment) / 4);
  const dispatches = inSequences(chosen(steps, resolve), sequences, resolve);
  const entries = dispatches.flatMap((dispatch, index): Entry[] => {
    const { label, iterations, repeat } = dispatch;
    const longest = iterations?.(resolve) ?? 0;
    if (longest > maxIterations) {
      throw new WebGpuError(
        `Cannot bind ${graph.name}: the kernel ${label} would take ${longest} iterations, ` +
          `at most ${maxIterations} are safe`,
      );
    }
    const { value: workgroups, varies } = evaluate(dispatch.workgroups);
    const starts = repeat ? Math.max(1, Math.ceil(resolve(repeat.end) / repeat.step)) : 1;
    return Array.from({ length: starts }, (_, n) => {
      const start = n * (repeat?.step ?? 0);
      return { dispatch, index, at: block.add(dispatch, start), start, workgroups, varies };
    });
  });
  const [memory, texels] = (["temporary", "texels"] as const).map((kind) => planMemory(dispatches, resolve, kind));
  return { dispatches, memory, texels, entries, block: Uint32Array.from(block.words), varying: block.varying };
}
