// Decoding without beams, greedily or by sampling: each row goes on by itself until it ends or is full.
import type { Decider } from "./decider.ts";
import { type GenerateOutput, padded } from "./generate_output.ts";
import { type Choice, DeviceTokens, HostTokens, type Row, type Slot } from "./token_deciders.ts";
import { compact } from "./row_compaction.ts";
import type { Generation } from "../request/generation.ts";
import type { Session } from "../programs/session.ts";

/** Add tokens to a row up to its end; what comes after it is dropped. @returns Those added. */
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

/** The rows that go on, in the session's order. */
function going(session: Session, slots: readonly Slot[], length: number): readonly Slot[] {
  const plan = compact(session, slots.map((row) => row !== undefined && !row.ended), length);
  if (!plan) return slots;
  const moved = Array<Slot>(session.rows).fill(undefined);
  for (const [from, to] of plan.moves.rows) moved[to] = slots[from];
  return moved;
}

function deciderOf(session: Session, generation: Generation): Decider<Slot, Choice> {
  if (session.shape.selection.kind === "logits") return new HostTokens(session, generation);
  return new DeviceTokens(session, generation, generation.streamer ? 1 : session.backend.stepsPerRead);
}

/**
 * Decode rows, the encoder's programs being queued before.
 *
 * @param session The buffers, with room for `maxLength` positions.
 * @param generation Its streamer is given each token as it is decided: one wait a token.
 * @returns The rows with their prompts, padded to the longest; whether each was cut by the length.
 */
export async function decodeRows(session: Session, generation: Generation): Promise<GenerateOutput> {
  const { prompts, promptLength, maxLength, padTokenId, numReturnSequences } = generation;
  const { outputScores, outputConfidences, streamer, signal } = generation;
  const rows = prompts
    .flatMap((prompt) => Array<readonly number[]>(numReturnSequences).fill(prompt))
    .map((prompt, index): Row => ({ index, tokens: [...prompt], confidences: [], ended: false }));
  const decider = deciderOf(session, generation);
  session.writeTokens(rows.map(({ tokens }) => tokens));
  let slots: readonly Slot[] = rows;
  for (let length = promptLength; length < maxLength && rows.some(({ ended }) => !ended);) {
    const steps = await decider.next(slots, length);
    const fresh = rows.map((): number[] => []);
    slots.forEach((row, slot) => {
      if (row) fresh[row.index] = extend(row, steps.map((choices) => choices[slot]), generation);
    });
    length += steps.length;
    await streamer?.put(fresh);
    signal?.throwIfAborted();
    // Scores are those of all rows.
    if (!outputScores && length < maxLength) slots = going(session, slots, length);
  }
  await streamer?.end();
  return {
    ...padded(rows, generation, padTokenId),
    truncated: rows.map(({ ended }) => !ended),
    ...(outputConfidences && { confidences: rows.map(({ confidences }) => confidences) }),
    ...(outputScores && { scores: [...decider.scores] }),
  };
}
