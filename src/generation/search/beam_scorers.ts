// Who ranks the continuations of beams: the device, which is looked at now and then, or the host at each step, because a
// rule, a draw or a criterion needs it, or because a look costs nothing. Both rank alike: a beam's candidates by their
// log-probabilities, then all of a picture's by their sums in float32; of equals the first.
import { Tensor } from "../../tensor/mod.ts";
import type { Beams } from "../programs/beam_step.ts";
import { stepsHeld } from "../programs/steps_held.ts";
import { queueStep, RowReader } from "./token_selectors.ts";
import { type Continuation, continuationsKept, type Picture } from "./beam_hypotheses.ts";
import { largest } from "../scores/largest_entries.ts";
import type { Generation } from "../request/generation.ts";
import { processorsOf } from "../scores/processor_list.ts";
import { forbidden, scoreOf } from "../scores/forbidden.ts";
import { Noise } from "../scores/gumbel_noise.ts";
import { ProcessorInputs } from "../scores/processor_inputs.ts";
import type { Move, Session } from "../programs/session.ts";

/** Ranks continuations. */
export interface Ranker {
  /**
   * Go on by a token or several.
   *
   * @param pictures Those of the session, in its order.
   * @param length The tokens of each beam so far.
   * @returns For each step and picture the best continuations, best first; of no use where a picture is done.
   */
  next(pictures: readonly Picture[], length: number): Promise<readonly (readonly Continuation[])[][]>;
  /** Let the session's rows follow the beams that the pictures now run, whose last tokens are at `length` − 1. */
  follow(pictures: readonly Picture[], length: number): void;
  /** Each step's scores after all rules, [rows, V], if they are asked for. */
  readonly scores: Tensor[];
}

/** The device ranks, and its rows follow by themselves (beam_step.ts). */
export class DeviceRanker implements Ranker {
  readonly scores: Tensor[] = [];
  readonly #inputs: ProcessorInputs;
  /** The pictures whose beams' scores the device has. */
  #known: readonly Picture[] = [];

  /** @param each Candidates of each beam. */
  constructor(
    readonly session: Session,
    readonly generation: Generation,
    readonly shape: Beams & { readonly each: number },
  ) {
    this.#inputs = new ProcessorInputs(session, generation);
  }

  async next(pictures: readonly Picture[], length: number): Promise<Continuation[][][]> {
    const { session, generation } = this;
    if (pictures !== this.#known) {
      const scores = pictures.flatMap(({ running }) => running.map(({ score }) => Math.max(score, forbidden)));
      session.write("running", Float32Array.from(scores));
      this.#known = pictures;
    }
    const count = Math.min(session.backend.stepsPerRead, stepsHeld, generation.maxLength - length);
    for (let at = 0; at < count; at++) {
      this.#inputs.write(length + at);
      queueStep(session, generation, length + at, at);
    }
    const data = (await session.read("ring")).data as Float32Array;
    return Array.from({ length: count }, (_, at) => pictures.map((_, p) => this.#told(data, p * stepsHeld + at)));
  }

  /** The continuations at a place of the ring. */
  #told(ring: Float32Array, place: number): Continuation[] {
    const { kept, each } = this.shape;
    const of = (part: number, k: number) => ring[(place * 4 + part) * kept + k];
    return Array.from({ length: kept }, (_, k) => ({
      parent: Math.floor(of(1, k) / each),
      id: of(2, k),
      logProbability: scoreOf(of(3, k)),
      score: scoreOf(of(0, k)),
    }));
  }

  follow(): void {}
}

/** A token that a beam may go on with. */
interface Candidate {
  readonly id: number;
  /** Its log-probability. */
  readonly score: number;
  /** What it is ranked by: the score, with noise where beams are sampled. */
  readonly rank: number;
}

/** Gives the candidates of all running beams of a step, by picture and beam, the best first. */
type Offer = (pictures: readonly Picture[], length: number) => Promise<readonly (readonly Candidate[])[][]>;

/** Where a picture's beams go: in the rows of their parents where they can, so that only beams that fork are copied. */
function place(parents: readonly number[]): { rows: number[]; moves: Move[] } {
  const taken = new Set(parents);
  const free = [...parents.keys()].filter((row) => !taken.has(row));
  const moves: Move[] = [];
  const rows = parents.map((parent) => {
    if (taken.delete(parent)) return parent;
    const row = free.shift()!;
    moves.push([parent, row]);
    return row;
  });
  return { rows, moves };
}

/** The host ranks, and says where rows go. */
export class HostRanker implements Ranker {
  readonly scores: Tensor[] = [];
  readonly #offer: Offer;
  /** The session's row of each running beam, relative to the picture's first. */
  readonly #rows = new Map<Picture, readonly number[]>();

  constructor(readonly session: Session, readonly generation: Generation) {
    const { selection } = session.shape;
    this.#offer = selection.kind === "candidates" ? this.#fromCandidates(selection.count) : this.#fromRows();
  }

  async next(pictures: readonly Picture[], length: number): Promise<Continuation[][][]> {
    const offered = await this.#offer(pictures, length);
    return [pictures.map((picture, p) => this.#rank(picture, offered[p]))];
  }

  follow(pictures: readonly Picture[], length: number): void {
    const { session, generation: { numBeams, padTokenId, promptLength } } = this;
    const moves: Move[] = [];
    const tokens = Array<readonly number[]>(pictures.length * numBeams).fill([padTokenId]);
    pictures.forEach((picture, p) => {
      if (picture.done) return;
      const before = this.#rowsOf(picture);
      const placed = place(picture.running.map(({ parent }) => before[parent]));
      moves.push(...placed.moves.map(([from, to]): Move => [p * numBeams + from, p * numBeams + to]));
      picture.running.forEach((beam, i) => tokens[p * numBeams + placed.rows[i]] = [beam.tokens[length - 1]]);
      this.#rows.set(picture, placed.rows);
    });
    // After the prompt all beams of a picture have the same caches.
    if (length > promptLength + 1 && moves.length > 0) session.moveRows(moves, length - 1);
    session.writeTokens(tokens, length - 1);
  }

  #rowsOf(picture: Picture): readonly number[] {
    return this.#rows.get(picture) ?? [...picture.running.keys()];
  }

  #rank({ running }: Picture, offered: readonly (readonly Candidate[])[]): Continuation[] {
    const float = Math.fround;
    return offered.flatMap((candidates, parent) => {
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
      .slice(0, continuationsKept(this.generation));
  }

  /** Candidates that the device found: only they are read. */
  #fromCandidates(count: number): Offer {
    const { session, generation } = this;
    const inputs = new ProcessorInputs(session, generation);
    return async (pictures, length) => {
      inputs.write(length);
      queueStep(session, generation, length);
      const data = (await session.read("candidates")).data as Float32Array;
      return pictures.map((picture, p) =>
        this.#rowsOf(picture).map((row) => {
          const at = (p * generation.numBeams + row) * 2 * count;
          return Array.from({ length: picture.done ? 0 : count }, (_, k) => {
            const score = scoreOf(data[at + k]);
            return { id: data[at + count + k], score, rank: score };
          });
        })
      );
    };
  }

  /** Candidates found on the host, in whole rows, because rules or draws need them. */
  #fromRows(): Offer {
    const { session, generation } = this;
    const { numBeams, doSample, outputScores } = generation;
    const processors = processorsOf(generation, generation);
    const noise = doSample ? new Noise(generation.seed) : undefined;
    const reader = new RowReader(session, "logProbabilities", generation);
    return async (pictures, length) => {
      queueStep(session, generation, length);
      const read = await reader.read();
      const rows = pictures.map((picture, p) => this.#rowsOf(picture).map((row) => read[p * numBeams + row]));
      const offered = pictures.map((picture, p) =>
        rows[p].map((row, i): Candidate[] => {
          if (picture.done && !outputScores) return [];
          for (const process of processors) process(picture.running[i].tokens, row);
          if (picture.done) return [];
          const own = noise && ((id: number) => noise.at(picture.index * numBeams + i, length, id));
          return candidatesOf(row, continuationsKept(generation), own);
        })
      );
      if (outputScores) this.scores.push(stack(rows.flat()));
      return offered;
    };
  }
}

/** The best candidates of a row of log-probabilities. */
function candidatesOf(scores: Float32Array, count: number, noise?: (id: number) => number): Candidate[] {
  const order = noise ? scores.map((score, id) => score === -Infinity ? score : score + noise(id)) : scores;
  const { values, indices } = largest(order, Math.min(count, order.length));
  return Array.from(indices, (id, k) => ({ id, score: scores[id], rank: values[k] }));
}

/** Rows as one tensor, [rows, V]. */
function stack(rows: readonly Float32Array[]): Tensor {
  const data = new Float32Array(rows.length * rows[0].length);
  rows.forEach((row, i) => data.set(row, i * row.length));
  return new Tensor("float32", [rows.length, rows[0].length], data);
}
