// Which dispatches become one kernel: on a processor, those that follow each other and take less time than a dispatch costs. That is
// for programs that append to a cache, which run once for each token: others would compile such a kernel for little.
import { dimensionNames, type Graph, resolveDimension, writtenParameters } from "../../../src/graph/mod.ts";
import type { Profile } from "../device/profile.ts";
import {
  canBeInSequence,
  fitsBindings,
  sequenceKernel,
  type SequencePart,
  turnsOf,
} from "../kernels/sequences/sequence.ts";
import type { SequenceLimits } from "../kernels/sequences/sequence_bindings.ts";
import type { Dispatch } from "../kernels/shader.ts";
import { chosen, type Step } from "./step.ts";
import type { Resolve } from "./view.ts";

/** A kernel that does what several dispatches do, where those follow each other. */
export interface Sequence {
  readonly parts: readonly Dispatch[];
  readonly dispatch: Dispatch;
  /** Whether it is faster for some sizes. */
  readonly when: (resolve: Resolve) => boolean;
}

/** Every size is one, as in a step of one row. */
const ofOneRow: Resolve = (dimension) =>
  resolveDimension(
    dimension,
    Object.fromEntries(typeof dimension === "number" ? [] : dimensionNames(dimension).map((name) => [name, 1])),
  );

/** The sequences of a program's steps for one row. */
export function sequencesOf(
  graph: Graph,
  steps: readonly Step[],
  { profile, limits }: { readonly profile: Profile; readonly limits: SequenceLimits },
): Sequence[] {
  const appends = graph.nodes.some(({ operator }) => operator.name === "cacheAppend");
  if (!profile.sequences || !appends || writtenParameters(graph).size > 0) return [];
  const { mostKernels, mostTurns } = profile.sequences;
  const isShort = (part: SequencePart, resolve: Resolve) => turnsOf(part, resolve) <= mostTurns;
  const sequences: SequencePart[][] = [];
  let parts: SequencePart[] = [];
  const end = () => {
    if (parts.length > 1) sequences.push(parts);
    parts = [];
  };
  for (const dispatch of chosen(steps, ofOneRow)) {
    if (!canBeInSequence(dispatch) || !isShort(dispatch, ofOneRow)) {
      end();
      continue;
    }
    if (parts.length === mostKernels || !fitsBindings([...parts, dispatch], limits)) end();
    parts.push(dispatch);
  }
  end();
  return sequences.map((parts) => ({
    parts,
    dispatch: sequenceKernel(parts),
    when: (resolve) => parts.every((part) => isShort(part, resolve)),
  }));
}

/** Dispatches, of which those that are a sequence are replaced by it. */
export function inSequences(
  dispatches: readonly Dispatch[],
  sequences: readonly Sequence[],
  resolve: Resolve,
): Dispatch[] {
  const byFirst = new Map(sequences.map((sequence) => [sequence.parts[0], sequence]));
  const all: Dispatch[] = [];
  for (let at = 0; at < dispatches.length;) {
    const sequence = byFirst.get(dispatches[at]);
    const isThere = sequence?.parts.every((part, i) => dispatches[at + i] === part) && sequence.when(resolve);
    const { dispatch, parts } = sequence && isThere ? sequence : { dispatch: dispatches[at], parts: [dispatches[at]] };
    all.push(dispatch);
    at += parts.length;
  }
  return all;
}
