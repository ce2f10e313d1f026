// Decoding where a rule or a draw needs whole rows of scores: each step's rows are read, a token is taken on the host.
import { Tensor } from "../tensor/mod.ts";
import type { Generation, Streamer } from "./options.ts";
import { processorsOf } from "./processors.ts";
import { Noise } from "./random.ts";
import type { Session } from "./session.ts";

/** What a method of decoding gives. */
export interface Decoded {
  readonly sequences: number[][];
  readonly truncated: boolean[];
  /** The scores of beams. */
  readonly sequencesScores?: number[];
  /** Each step's scores after all rules, [rows, V], if asked for. */
  readonly scores?: Tensor[];
}

/** Wait for the logits of a step, [rows, 1, V], as one row each. */
export async function readRows(session: Session, vocabulary: number, signal?: AbortSignal): Promise<Float32Array[]> {
  const data = (await session.read("logits", { signal })).data as Float32Array;
  return Array.from(
    { length: data.length / vocabulary },
    (_, row) => data.slice(row * vocabulary, (row + 1) * vocabulary),
  );
}

/** Rows as one tensor, [rows, V]. */
export function stack(rows: readonly Float32Array[]): Tensor {
  const data = new Float32Array(rows.length * rows[0].length);
  rows.forEach((row, i) => data.set(row, i * row.length));
  return new Tensor("float32", [rows.length, rows[0].length], data);
}

/** The index of the largest score plus noise: with Gumbel noise a draw from softmax(scores). */
export function draw(scores: Float32Array, noise: (id: number) => number): number {
  let best = 0;
  let most = -Infinity;
  for (let id = 0; id < scores.length; id++) {
    if (scores[id] === -Infinity) continue;
    const value = scores[id] + noise(id);
    if (value > most) [best, most] = [id, value];
  }
  return best;
}

/** Decode greedily or by sampling; the encoder's programs are queued before. */
export async function decodeRows(
  session: Session,
  generation: Generation,
  options: { streamer?: Streamer; signal?: AbortSignal } = {},
): Promise<Decoded> {
  const { prompts, maxLength, padTokenId, eosTokenIds, doSample, numReturnSequences, stoppingCriteria } = generation;
  const { streamer, signal } = options;
  const promptLength = prompts[0].length;
  const rows = prompts.flatMap((prompt) => Array.from({ length: numReturnSequences }, () => [...prompt]));
  const ended = rows.map(() => false);
  const processors = processorsOf(generation, { promptLength, maxLength });
  const noise = new Noise(generation.seed);
  const { vocabularySize } = session.runner.architecture.decoder;
  const scores: Tensor[] = [];
  const truncated = rows.map(() => true);
  session.writeTokens(rows);
  session.decode(0, promptLength);
  for (let length = promptLength;; length++) {
    const read = await readRows(session, vocabularySize, signal);
    const fresh = rows.map((tokens, row): number[] => {
      if (ended[row] && !generation.outputScores) return [];
      for (const process of processors) process(tokens, read[row]);
      if (ended[row]) return [];
      return [draw(read[row], doSample ? (id) => noise.at(row, length, id) : () => 0)];
    });
    if (generation.outputScores) scores.push(stack(read));
    rows.forEach((tokens, row) => {
      tokens.push(fresh[row][0] ?? padTokenId);
      if (ended[row]) return;
      ended[row] = eosTokenIds.includes(tokens[length]) || stoppingCriteria.some((stops) => stops(tokens));
      if (ended[row]) truncated[row] = false;
    });
    await streamer?.put(fresh);
    signal?.throwIfAborted();
    if (length + 1 >= maxLength || ended.every(Boolean)) break;
    session.writeTokens(rows.map((tokens) => [tokens[length]]), length);
    session.decode(length, 1);
  }
  streamer?.end();
  return { sequences: rows, truncated, ...(generation.outputScores && { scores }) };
}
