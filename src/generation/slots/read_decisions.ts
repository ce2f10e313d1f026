// What a step decided for its rows: read from the device where a program took the tokens or found candidates, taken here where
// rows of scores are needed.
import type { SlotBuffers } from "../programs/slot_buffers.ts";
import { candidatesName, type SlotSelection } from "../programs/slot_selection.ts";
import { maxStepsPerRead } from "../programs/max_steps_per_read.ts";
import { scoreOf } from "../scores/forbidden.ts";
import { logSoftmax } from "../scores/normalization.ts";
import type { Candidate } from "../search/beam_ranking.ts";
import { continuationsKept } from "../search/beam_search_state.ts";
import type { Choice } from "../search/text_state.ts";
import { SlotBeams } from "./slot_beams.ts";
import { lengthAt } from "./slot_inputs.ts";
import { SlotRow } from "./slot_row.ts";
import type { SlotRows, SlotText } from "./slot_text.ts";

/** What was decided. */
export interface Decisions {
  /** The tokens of rows. */
  readonly choices: ReadonlyMap<SlotText, readonly Choice[]>;
  /** The candidates of running beams. */
  readonly candidates: ReadonlyMap<SlotText, readonly (readonly Candidate[])[]>;
  /** Why texts cannot go on, such as one of which every token is forbidden. */
  readonly failures: ReadonlyMap<SlotText, unknown>;
}

/** The texts of a step. */
export const textsOf = (rows: SlotRows): SlotText[] => [...new Set(rows.flatMap((row) => row?.owner ?? []))];

/** Steps that were queued: how many, and what was asked of their program. */
interface StepsToRead {
  readonly count: number;
  readonly asked: SlotSelection | undefined;
}

/** Queue the reads of steps that were just queued, wait for them, and find what was decided. */
export async function readDecisions(
  buffers: SlotBuffers,
  rows: SlotRows,
  { count, asked }: StepsToRead,
): Promise<Decisions> {
  const isTaken = rows.some((row) => row && !row.isBeam && !row.readsScores);
  // All are called before any is waited for: steps that are queued meanwhile give their own numbers.
  const [scoresOf, candidatesAt, choiceAt, margins] = await Promise.all([
    rows.some((row) => row?.readsScores) ? readScores(buffers, rows) : undefined,
    asked && asked.candidates > 0 ? readCandidates(buffers, rows, candidatesName(asked)) : undefined,
    isTaken ? asked?.confident ? readReported(buffers, rows) : readTokens(buffers, rows) : undefined,
    isTaken && asked?.margins ? buffers.read("margins", rows.length) : undefined,
  ]);
  const marginAt = (slot: number, at: number) =>
    margins && { margin: Number(margins.data[slot * maxStepsPerRead + at]) };
  const choices = new Map<SlotText, Choice[]>();
  const candidates = new Map<SlotText, Candidate[][]>();
  const failures = new Map<SlotText, unknown>();
  const decide = (text: SlotText) => {
    if (text instanceof SlotBeams) {
      const most = continuationsKept(text.generation);
      const found = text.candidates
        ? text.candidatesIn((slot) => logProbabilities(scoresOf!(slot)))
        : text.order.map((slot) => candidatesAt!(slot, most));
      candidates.set(text, found);
    } else if (text instanceof SlotRow) {
      const { slot, host } = text;
      const taken = (_: unknown, at: number): Choice => ({ ...choiceAt!(slot, text, at), ...marginAt(slot, at) });
      choices.set(text, host ? [takeOnHost(text, scoresOf!(slot))] : Array.from({ length: count }, taken));
    }
  };
  for (const text of textsOf(rows).filter(({ released }) => !released)) {
    try {
      decide(text);
    } catch (error) {
      failures.set(text, error);
    }
  }
  return { choices, candidates, failures };
}

/** Logits, which become log-probabilities. */
function logProbabilities(scores: Float32Array): Float32Array {
  logSoftmax(scores);
  return scores;
}

/** Rows of logits [V], by their slots. */
async function readScores(buffers: SlotBuffers, rows: SlotRows): Promise<(slot: number) => Float32Array> {
  const { data, shape } = await buffers.read("logits", rows.length);
  const width = shape[2];
  return (slot) => (data as Float32Array).subarray(slot * width, (slot + 1) * width);
}

function takeOnHost({ host, text: { tokens, index } }: SlotRow, scores: Float32Array): Choice {
  host!.process(tokens, scores);
  return host!.take(scores, { row: index, length: tokens.length });
}

async function readCandidates(
  buffers: SlotBuffers,
  rows: SlotRows,
  name: string,
): Promise<(slot: number, most: number) => Candidate[]> {
  const { data, shape: [, , count] } = await buffers.read(name, rows.length);
  return (slot, most) =>
    Array.from({ length: Math.min(most, count) }, (_, k) => {
      const at = slot * 2 * count + k;
      const score = scoreOf(Number(data[at]));
      return { id: Number(data[at + count]), score, rank: score };
    });
}

type ChoiceAt = (slot: number, row: SlotRow, at: number) => Choice;

async function readTokens(buffers: SlotBuffers, rows: SlotRows): Promise<ChoiceAt> {
  const starts = rows.map((row) => row ? lengthAt(row, 0) : 0);
  const { data, shape } = await buffers.read("tokens", rows.length);
  return (slot, _, at) => ({ token: Number(data[slot * shape[1] + starts[slot] + at]) });
}

async function readReported(buffers: SlotBuffers, rows: SlotRows): Promise<ChoiceAt> {
  const data = (await buffers.read("ring", rows.length)).data as Float32Array;
  return (slot, { generation }, at) => {
    const place = 2 * (slot * maxStepsPerRead + at);
    return { token: data[place], ...(generation.outputConfidences && { confidence: data[place + 1] }) };
  };
}
