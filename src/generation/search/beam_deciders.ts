// Deciding how a picture's beams go on: a beam's candidates are ranked by their log-probabilities, then all of a picture's
// by their sums in float32; ties go to the lowest index.
import type { Tensor } from "../../tensor/mod.ts";
import type { Beams } from "../programs/beam_step.ts";
import type { Move, Session } from "../programs/session.ts";
import { maxStepsPerRead } from "../programs/max_steps_per_read.ts";
import type { Generation } from "../request/generation.ts";
import { forbidden, scoreOf } from "../scores/forbidden.ts";
import { type Candidate, placeBeams, rankCandidates, RowCandidates } from "./beam_ranking.ts";
import type { BeamSearchState, Continuation } from "./beam_search_state.ts";
import { type Decider, DeviceSteps, ScoreReader, stackScores, StepQueue } from "./decider.ts";

/** Decides the best continuations of pictures' beams, best first. */
export interface BeamDecider extends Decider<BeamSearchState, readonly Continuation[]> {
  /** Let the session's rows follow the beams that the pictures now run, whose last tokens are at `length` − 1. */
  follow(pictures: readonly BeamSearchState[], length: number): void;
}

/** The device ranks, and its rows follow by themselves (beam_step.ts). */
export class DeviceBeams implements BeamDecider {
  readonly scores: readonly Tensor[] = [];
  readonly #steps: DeviceSteps;
  readonly #queue: StepQueue<Float32Array>;
  /** The pictures whose beams' scores the device has. */
  #known: readonly BeamSearchState[] = [];

  /** @param each Candidates of each beam. */
  constructor(
    readonly session: Session,
    readonly generation: Generation,
    readonly shape: Beams & { readonly each: number },
  ) {
    this.#steps = new DeviceSteps(session, generation, session.backend.stepsPerRead);
    this.#queue = new StepQueue(session, generation, (from) => {
      const count = this.#steps.count(from);
      this.#steps.queue(from, count);
      return { count, decided: session.read("ring").then(({ data }) => data as Float32Array) };
    });
  }

  get isAhead(): boolean {
    return this.#queue.isAhead;
  }

  async next(pictures: readonly BeamSearchState[], length: number, ahead = false): Promise<Continuation[][][]> {
    const { session } = this;
    if (pictures !== this.#known) {
      const scores = pictures.flatMap(({ running }) => running.map(({ score }) => Math.max(score, forbidden)));
      session.write("running", Float32Array.from(scores));
      this.#known = pictures;
    }
    const { count, decided } = await this.#queue.next(length, ahead);
    return Array.from(
      { length: count },
      (_, at) => pictures.map((_, p) => this.#reported(decided, p * maxStepsPerRead + at)),
    );
  }

  /** The continuations at a place of the ring. */
  #reported(ring: Float32Array, place: number): Continuation[] {
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

/** Gives the candidates of all running beams of a step, by picture and beam, the best first. */
type Offer = (pictures: readonly BeamSearchState[], length: number) => Promise<readonly (readonly Candidate[])[][]>;

/** The host ranks, and says where rows go. */
export class HostBeams implements BeamDecider {
  readonly scores: Tensor[] = [];
  readonly #offer: Offer;
  /** The session's row of each running beam, relative to the picture's first. */
  readonly #rows = new Map<BeamSearchState, readonly number[]>();

  constructor(readonly session: Session, readonly generation: Generation) {
    const { selection } = session.shape;
    this.#offer = selection.kind === "candidates" ? this.#fromCandidates(selection.count) : this.#fromRows();
  }

  async next(pictures: readonly BeamSearchState[], length: number): Promise<Continuation[][][]> {
    const offered = await this.#offer(pictures, length);
    return [pictures.map((picture, p) => rankCandidates(picture.running, offered[p], this.generation))];
  }

  follow(pictures: readonly BeamSearchState[], length: number): void {
    const { session, generation: { numBeams, padTokenId, promptLength } } = this;
    const moves: Move[] = [];
    const tokens = Array<readonly number[]>(pictures.length * numBeams).fill([padTokenId]);
    pictures.forEach((picture, p) => {
      if (!this.#runs(picture)) return;
      const before = this.#rowsOf(picture);
      const placed = placeBeams(picture.running.map(({ parent }) => before[parent]));
      moves.push(...placed.moves.map(([from, to]): Move => [p * numBeams + from, p * numBeams + to]));
      picture.running.forEach((beam, i) => tokens[p * numBeams + placed.rows[i]] = [beam.tokens[length - 1]]);
      this.#rows.set(picture, placed.rows);
    });
    // After the prompt all beams of a picture have the same caches.
    if (length > promptLength + 1 && moves.length > 0) session.moveRows(moves, length - 1);
    session.writeTokens(tokens, length - 1);
  }

  /** Whether its beams go on: scores that are asked for are of all of them. */
  #runs({ done }: BeamSearchState): boolean {
    return !done || this.generation.outputScores;
  }

  #rowsOf(picture: BeamSearchState): readonly number[] {
    return this.#rows.get(picture) ?? [...picture.running.keys()];
  }

  /** Candidates that the device found: only they are read. */
  #fromCandidates(count: number): Offer {
    const { session, generation } = this;
    const steps = new DeviceSteps(session, generation, 1);
    return async (pictures, length) => {
      steps.queue(length, 1);
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

  /** Candidates found on the host, in whole rows, because processors or draws need them. */
  #fromRows(): Offer {
    const { session, generation } = this;
    const { numBeams, outputScores } = generation;
    const candidates = new RowCandidates(generation);
    const reader = new ScoreReader(session, "logProbabilities", generation);
    return async (pictures, length) => {
      const read = await reader.next(length);
      const rows = pictures.map((picture, p) => this.#rowsOf(picture).map((row) => read[p * numBeams + row]));
      const offered = pictures.map((picture, p) =>
        rows[p].map((row, i): Candidate[] => {
          if (!this.#runs(picture)) return [];
          candidates.process(picture.running[i].tokens, row);
          return candidates.best(row, { beam: picture.index * numBeams + i, length });
        })
      );
      if (outputScores) this.scores.push(stackScores(rows.flat()));
      return offered;
    };
  }
}
