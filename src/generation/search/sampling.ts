// Decoding without beams, greedily or by sampling: each row goes on by itself until it ends or is full.
import type { Tensor } from "../../tensor/mod.ts";
import { type Choice, type Chooser, DeviceChooser, HostChooser, type Row } from "./token_selectors.ts";
import { compaction } from "./row_compaction.ts";
import type { Generation } from "../request/generation.ts";
import type { Session } from "../programs/session.ts";

/** What a method of decoding gives. */
export interface Decoded {
  readonly sequences: number[][];
  readonly truncated: boolean[];
  /** The scores of beams. */
  readonly sequencesScores?: number[];
  /** How sure the model was of each new token of a row, up to its end, if asked for. */
  readonly confidences?: number[][];
  /** Each step's scores after all rules, [rows, V], if asked for. */
  readonly scores?: Tensor[];
  /** What the decoder saw of the pictures, [batch, S, C], if asked for. */
  readonly encoderStates?: Tensor;
}

/** Add tokens to a row up to its end; what is behind it is not its own. @returns Those added. */
function extend(row: Row, decided: readonly Choice[], generation: Generation): number[] {
  const fresh: number[] = [];
  for (let i = 0; i < decided.length && !row.ended; i++) {
    const { token, confidence } = decided[i];
    row.tokens.push(token);
    if (confidence !== undefined) row.confidences.push(confidence);
    fresh.push(token);
    row.ended = generation.eosTokenIds.includes(token) ||
      generation.stoppingCriteria.some((stops) => stops(row.tokens));
  }
  return fresh;
}

/** Go on without the rows that have ended, where that saves enough. @returns The rows in the session's new order. */
function compact(session: Session, slots: readonly (Row | undefined)[], length: number): (Row | undefined)[] {
  const plan = compaction(slots.map((row) => row !== undefined && !row.ended), session.sizes.beams);
  if (!plan) return [...slots];
  session.shrink(plan.to, plan.moves, length);
  const moved = Array<Row | undefined>(session.rows).fill(undefined);
  for (const [from, to] of plan.moves.rows) moved[to] = slots[from];
  return moved;
}

function chooserOf(session: Session, generation: Generation): Chooser {
  const { kind } = session.shape.selection;
  if (kind === "logits") return new HostChooser(session, generation);
  return new DeviceChooser(session, generation, generation.streamer ? 1 : session.backend.stepsPerRead);
}

/**
 * Decode rows, the encoder's programs being queued before.
 *
 * @param session The buffers, with room for `maxLength` positions.
 * @param generation Its streamer is given each token as it is decided: one wait a token.
 * @returns The rows with their prompts, padded to the longest; whether each was cut by the length.
 */
export async function decodeRows(session: Session, generation: Generation): Promise<Decoded> {
  const { prompts, promptLength, maxLength, padTokenId, numReturnSequences } = generation;
  const { outputScores, outputConfidences, streamer, signal } = generation;
  const rows = prompts
    .flatMap((prompt) => Array<readonly number[]>(numReturnSequences).fill(prompt))
    .map((prompt, index): Row => ({ index, tokens: [...prompt], confidences: [], ended: false }));
  const chooser = chooserOf(session, generation);
  session.writeTokens(rows.map(({ tokens }) => tokens));
  let slots: (Row | undefined)[] = rows;
  for (let length = promptLength; length < maxLength && rows.some(({ ended }) => !ended);) {
    const decided = await chooser.next(slots, length);
    const fresh = rows.map((): number[] => []);
    slots.forEach((row, slot) => {
      if (row) fresh[row.index] = extend(row, decided[slot], generation);
    });
    length += decided[0].length;
    await streamer?.put(fresh);
    signal?.throwIfAborted();
    // Scores are those of all rows.
    if (!outputScores && length < maxLength) slots = compact(session, slots, length);
  }
  await streamer?.end();
  const longest = Math.max(...rows.map(({ tokens }) => tokens.length));
  return {
    sequences: rows.map(({ tokens }) => [...tokens, ...Array(longest - tokens.length).fill(padTokenId)]),
    truncated: rows.map(({ ended }) => !ended),
    ...(outputConfidences && { confidences: rows.map(({ confidences }) => confidences) }),
    ...(outputScores && { scores: chooser.scores }),
  };
}
