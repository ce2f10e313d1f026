// Beam search and beam sampling, as transformers.GenerationMixin._beam_search: the same candidates, scores and end.
// A beam stays in the row of its parent where it can, so that only the caches of beams that fork are copied.
import type { Generation } from "./options.ts";
import { largest } from "./largest.ts";
import { processorsOf } from "./processors.ts";
import { Noise } from "./random.ts";
import { compaction } from "./compaction.ts";
import { queueStep, readRows } from "./choosers.ts";
import type { Decoded } from "./rows.ts";
import { RuleInputs } from "./rules.ts";
import { forbidden } from "./select.ts";
import type { Move, Session } from "./session.ts";
import { Tensor } from "../tensor/mod.ts";

/** A text under way, or a finished one. */
interface Beam {
  readonly tokens: readonly number[];
  readonly score: number;
  readonly finished: boolean;
  /** The device's row, relative to the picture's first, that holds the caches of its parent. */
  readonly row: number;
}

/** A token that a beam may go on with. */
interface Candidate {
  readonly id: number;
  /** Its log-probability. */
  readonly score: number;
  /** What it is ranked by: the score, with noise where beams are sampled. */
  readonly rank: number;
}

/** How many candidates of a picture are kept: enough that its beams go on though the best ones end. */
export function candidatesKept({ numBeams, eosTokenIds }: Generation): number {
  return Math.max(2, 1 + eosTokenIds.length) * numBeams;
}

/** The best candidates of a row of log-probabilities. */
function candidatesOf(scores: Float32Array, count: number, noise?: (id: number) => number): Candidate[] {
  const order = noise ? scores.map((score, id) => score === -Infinity ? score : score + noise(id)) : scores;
  const { values, indices } = largest(order, Math.min(count, order.length));
  return Array.from(indices, (id, k) => ({ id, score: scores[id], rank: values[k] }));
}

/** Transformers' stand-in for −∞. */
const lowest = -1e9;
const float = Math.fround;

/** The beams of one picture. */
class Picture {
  running: Beam[];
  #finished: Beam[];
  #improvable = true;

  /** @param index Its place among all pictures, which stays. */
  constructor(prompt: readonly number[], readonly index: number, readonly generation: Generation) {
    const beams = Array.from({ length: generation.numBeams }, (_, row) => row);
    this.running = beams.map((row) => ({ tokens: prompt, score: row ? lowest : 0, finished: false, row }));
    this.#finished = beams.map((row) => ({ tokens: prompt, score: lowest, finished: false, row }));
  }

  get #full(): boolean {
    return this.#finished.every(({ finished }) => finished) && this.generation.earlyStopping === true;
  }

  /** Whether nothing can change any more. */
  get done(): boolean {
    return !this.#improvable || this.#full;
  }

  get best(): readonly Beam[] {
    return this.#finished;
  }

  /**
   * Go on by one token.
   *
   * @param offered The best candidates of each running beam, after all rules.
   * @returns Whether a beam can still go on.
   */
  advance(offered: readonly (readonly Candidate[])[]): boolean {
    const { numBeams, eosTokenIds, lengthPenalty, maxLength, prompts, stoppingCriteria } = this.generation;
    const promptLength = prompts[0].length;
    const candidates = this.running.flatMap((beam, i) =>
      offered[i].map(({ id, score, rank }) => ({ beam, id, score: float(score + beam.score), rank: rank + beam.score }))
    ).sort((a, b) => (b.rank > a.rank ? 1 : b.rank < a.rank ? -1 : 0)).slice(0, candidatesKept(this.generation));
    const next = candidates.map(({ beam, id, score }): Beam => {
      const tokens = [...beam.tokens, id];
      const finished = tokens.length >= maxLength || eosTokenIds.includes(id) ||
        stoppingCriteria.some((stops) => stops(tokens));
      return { tokens, score, finished, row: beam.row };
    });
    const length = next[0].tokens.length - promptLength;
    const blocked = this.#full || !this.#improvable;
    const best = next.map((beam, i): Beam => {
      const ends = beam.finished && i < numBeams;
      const out = (blocked ? lowest : 0) + (ends ? 0 : lowest);
      return { ...beam, score: float(float(beam.score / length ** lengthPenalty) + out), finished: ends };
    });
    const byScore = (beams: readonly Beam[]) => [...beams].sort((a, b) => b.score - a.score).slice(0, numBeams);
    this.running = byScore(next.map((beam) => ({ ...beam, score: float(beam.score + (beam.finished ? lowest : 0)) })));
    this.#finished = byScore([...this.#finished, ...best]);
    this.#improvable &&= this.#canImprove(length, promptLength);
    return next.some(({ finished }) => !finished);
  }

  #canImprove(length: number, promptLength: number): boolean {
    const { earlyStopping, lengthPenalty, maxLength } = this.generation;
    const assumed = earlyStopping === "never" && lengthPenalty > 0 ? maxLength - promptLength : length;
    const possible = this.running[0].score / assumed ** lengthPenalty;
    const least = Math.min(...this.#finished.map(({ score }) => score));
    return this.#finished.some(({ finished }) => possible > (finished ? least : lowest));
  }

  /** Give each running beam a row. @returns The rows whose caches must be copied, and the beam of each row. */
  place(): { moves: [from: number, to: number][]; beams: Beam[] } {
    const beams: Beam[] = [];
    const homeless: number[] = [];
    this.running.forEach((beam, i) => {
      if (beams[beam.row]) homeless.push(i);
      else beams[beam.row] = beam;
    });
    const moves: [number, number][] = [];
    let free = 0;
    for (const i of homeless) {
      while (beams[free]) free++;
      moves.push([this.running[i].row, free]);
      this.running[i] = { ...this.running[i], row: free };
      beams[free] = this.running[i];
    }
    return { moves, beams };
  }
}

/** Rows as one tensor, [rows, V]. */
function stack(rows: readonly Float32Array[]): Tensor {
  const data = new Float32Array(rows.length * rows[0].length);
  rows.forEach((row, i) => data.set(row, i * row.length));
  return new Tensor("float32", [rows.length, rows[0].length], data);
}

/** Gives the candidates of all running beams of a step, by picture and beam. */
type Offer = (pictures: readonly Picture[], length: number) => Promise<Candidate[][][]>;

/** Candidates that the device found: only they are read. */
function offerFromDevice(session: Session, generation: Generation, count: number, signal?: AbortSignal): Offer {
  const rules = new RuleInputs(session, generation);
  return async (pictures, length) => {
    rules.write(length);
    queueStep(session, generation, length);
    const data = (await session.read("candidates", signal)).data as Float32Array;
    const rowOf = (row: number): Candidate[] =>
      Array.from({ length: count }, (_, k) => {
        const given = data[row * 2 * count + k];
        const score = given <= forbidden ? -Infinity : given;
        return { id: data[(row * 2 + 1) * count + k], score, rank: score };
      });
    return pictures.map(({ running }, p) => running.map(({ row }) => rowOf(p * running.length + row)));
  };
}

/** Candidates found on the host, in whole rows, because rules or draws need them. */
function offerFromRows(session: Session, generation: Generation, scores: Tensor[], signal?: AbortSignal): Offer {
  const { prompts, maxLength, numBeams, doSample, outputScores } = generation;
  const processors = processorsOf(generation, { promptLength: prompts[0].length, maxLength });
  const noise = doSample ? new Noise(generation.seed) : undefined;
  return async (pictures, length) => {
    queueStep(session, generation, length);
    const read = await readRows(session, "logProbabilities", signal);
    const rows = pictures.map((picture, p) => picture.running.map(({ row }) => read[p * numBeams + row]));
    const offered = pictures.map((picture, p) =>
      rows[p].map((row, i): Candidate[] => {
        if (picture.done && !outputScores) return [];
        for (const process of processors) process(picture.running[i].tokens, row);
        if (picture.done) return [];
        const own = noise && ((id: number) => noise.at(picture.index * numBeams + i, length, id));
        return candidatesOf(row, candidatesKept(generation), own);
      })
    );
    if (outputScores) scores.push(stack(rows.flat()));
    return offered;
  };
}

/** Go on without the pictures that are done, where that saves enough. @returns Those in the session's new order. */
function compact(session: Session, pictures: readonly Picture[], length: number): readonly Picture[] {
  const { beams } = session.sizes;
  const plan = compaction(pictures.flatMap(({ done }) => Array<boolean>(beams).fill(!done)), beams);
  if (!plan) return pictures;
  session.shrink(plan.to, plan.moves, length);
  return plan.moves.pictures.map(([from]) => pictures[from]);
}

/** Decode with beams; the encoder's programs are queued before. */
export async function decodeBeams(
  session: Session,
  generation: Generation,
  { signal }: { signal?: AbortSignal } = {},
): Promise<Decoded> {
  const { prompts, maxLength, numBeams, padTokenId, eosTokenIds } = generation;
  const promptLength = prompts[0].length;
  const pictures = prompts.map((prompt, index) => new Picture(prompt, index, generation));
  let active: readonly Picture[] = pictures;
  const scores: Tensor[] = [];
  const { selection } = session.shape;
  const offer = selection.kind === "candidates"
    ? offerFromDevice(session, generation, selection.count, signal)
    : offerFromRows(session, generation, scores, signal);
  session.writeTokens(prompts.flatMap((prompt) => Array(numBeams).fill(prompt)));
  for (let length = promptLength;; length++) {
    const offered = await offer(active, length);
    let open = false;
    active.forEach((picture, p) => {
      if (!picture.done && picture.advance(offered[p])) open = true;
    });
    signal?.throwIfAborted();
    if (!open || active.every(({ done }) => done)) break;
    const placed = active.map((picture) => picture.done ? undefined : picture.place());
    const moves = placed.flatMap((place, p) =>
      place?.moves.map(([from, to]): Move => [p * numBeams + from, p * numBeams + to]) ?? []
    );
    // After the prompt all beams of a picture have the same caches.
    if (length > promptLength && moves.length > 0) session.moveRows(moves, length);
    const idle = Array<readonly number[]>(numBeams).fill([padTokenId]);
    session.writeTokens(placed.flatMap((place) => place?.beams.map((beam) => [beam.tokens[length]]) ?? idle), length);
    // Scores are those of all rows.
    if (!generation.outputScores) active = compact(session, active, length + 1);
  }
  const best = pictures.flatMap((picture) => picture.best.slice(0, generation.numReturnSequences));
  const longest = Math.max(...best.map(({ tokens }) => tokens.length));
  // Transformers takes a pad token of 0 for none here.
  const fill = eosTokenIds.length ? padTokenId || eosTokenIds[0] : padTokenId;
  return {
    sequences: best.map(({ tokens }) => [...tokens, ...Array(longest - tokens.length).fill(fill)]),
    truncated: best.map(({ tokens }) => tokens.length >= maxLength && !eosTokenIds.includes(tokens[tokens.length - 1])),
    sequencesScores: best.map(({ score }) => score),
    ...(generation.outputScores && { scores }),
  };
}
