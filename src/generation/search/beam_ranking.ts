// The books of beams that the host keeps: which tokens a beam may go on with, which of all are the best, and in which rows the
// beams that result from them lie. Whoever holds the rows, a generation or a session with slots, moves them.
import { OptionError } from "../../errors/mod.ts";
import type { Generation } from "../request/generation.ts";
import { Noise } from "../scores/gumbel_noise.ts";
import { largest } from "../scores/largest_entries.ts";
import { processorsOf } from "../scores/host_processors.ts";
import { type Beam, type Continuation, continuationsKept } from "./beam_search_state.ts";

/** A token that a beam may go on with. */
export interface Candidate {
  readonly id: number;
  /** Its log-probability. */
  readonly score: number;
  /** What it is ranked by: the score, with noise where beams are sampled. */
  readonly rank: number;
}

/** A continuation, and what it was ranked by. */
export interface RankedContinuation extends Continuation {
  readonly rank: number;
}

/** Finds the candidates of beams in whole rows of log-probabilities, because processors or draws need them. */
export class RowCandidates {
  readonly #processors;
  readonly #noise: Noise | undefined;

  constructor(readonly generation: Generation) {
    this.#processors = processorsOf(generation, generation);
    this.#noise = generation.doSample ? Noise.of(generation) : undefined;
  }

  /** Process the log-probabilities [V] of the token after those of a beam, in place. */
  process(tokens: readonly number[], scores: Float32Array): void {
    for (const process of this.#processors) process(tokens, scores);
  }

  /**
   * The best candidates of a beam.
   *
   * @param scores Processed, [V].
   * @param place The beam's place among all of its generation and its length, which are those of its noise.
   */
  best(scores: Float32Array, { beam, length }: { readonly beam: number; readonly length: number }): Candidate[] {
    const noise = this.#noise;
    const order = noise
      ? scores.map((score, id) => score === -Infinity ? score : score + noise.at(beam, length, id))
      : scores;
    const { values, indices } = largest(order, Math.min(continuationsKept(this.generation), order.length));
    return Array.from(indices, (id, k) => ({ id, score: scores[id], rank: values[k] }));
  }
}

/**
 * Rank the candidates of a picture's running beams.
 *
 * @returns The best of all, as many as are kept, best first.
 * @throws {OptionError} If one is to be drawn, and none may be.
 */
export function rankCandidates(
  running: readonly Beam[],
  offered: readonly (readonly Candidate[])[],
  generation: Generation,
): RankedContinuation[] {
  const float = Math.fround;
  const ranked = offered.flatMap((candidates, parent) => {
    const sum = running[parent].score;
    return candidates.map(({ id, score, rank }) => ({
      parent,
      id,
      logProbability: score,
      score: float(score + sum),
      rank: float(rank + sum),
    }));
  })
    .sort((a, b) => b.rank > a.rank ? 1 : b.rank < a.rank ? -1 : 0)
    .slice(0, continuationsKept(generation));
  if (generation.doSample && ranked.length > 0 && !ranked.some(({ score }) => Number.isFinite(score))) {
    throw new OptionError("Cannot draw a token: every one is forbidden");
  }
  return ranked;
}

/**
 * Where a picture's beams go: in the rows of their parents where they can, so that only beams that fork are copied.
 *
 * @param parents For each beam the row that its parent is in, among the picture's.
 * @returns The beams' rows, and from which row to which memory has to be copied.
 */
export function placeBeams(
  parents: readonly number[],
): { readonly rows: number[]; readonly moves: (readonly [from: number, to: number])[] } {
  const taken = new Set(parents);
  const free = [...parents.keys()].filter((row) => !taken.has(row));
  const moves: (readonly [number, number])[] = [];
  const rows = parents.map((parent) => {
    if (taken.delete(parent)) return parent;
    const row = free.shift()!;
    moves.push([parent, row]);
    return row;
  });
  return { rows, moves };
}
