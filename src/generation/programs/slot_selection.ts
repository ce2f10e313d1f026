// What is done with a step's logits where each row is at a position of its own and has options of its own: greedy rows,
// sampled ones and beams side by side. A program applies what any of its rows asks for; the values of rows that do not ask for it
// change nothing: a penalty of 1, no n-grams, a mask that lets every score be.
import { type Graph, GraphBuilder, type Value } from "../../graph/mod.ts";
import { positionsOfStep } from "../../models/mod.ts";
import { cacheAppend, lengthsAfter, logSoftmax, reshape, topK, where } from "../../operators/mod.ts";
import { processOwnScores, type ProgramProcessors } from "../scores/processor_list.ts";
import { divideByTemperature } from "../scores/temperature.ts";
import { confidences } from "../scores/token_confidence.ts";
import { drawTokens, marginOf } from "../scores/token_draw.ts";
import { keepOwnTopK } from "../scores/top_k.ts";
import { offer, report } from "./selection_program.ts";
import { maxStepsPerRead } from "./max_steps_per_read.ts";

/** What any row of a step asks for. */
export interface SlotSelection {
  readonly processors: ProgramProcessors;
  /** Whether rows are sampled. */
  readonly samples: boolean;
  /** The largest number of likeliest tokens that a row is drawn from; 0 where none is drawn from few. */
  readonly topK: number;
  /** How many candidates of a row the host reads, to rank those of a picture's beams; 0 where no row is a beam. */
  readonly candidates: number;
  /** Whether the host reads how sure the model is, in `ring`. */
  readonly confident: boolean;
  /** Whether the host reads how near another token was, in `margins`. */
  readonly margins: boolean;
}

/** The output of so many candidates, a name of its own since sessions run programs of several numbers in turn. */
export const candidatesName = ({ candidates }: SlotSelection): string => `candidates.${candidates}`;

/**
 * The program that takes the tokens of all rows.
 *
 * State `tokens` [rows, capacity]; inputs `logits` [rows, 1, V] and `past` [steps, rows], as of the decoder; those of the
 * processors, where rows are sampled `sampled` [rows, 1], bool, `topK` [rows, 1], int64, and `noise`, and where rows are beams
 * `beam` [rows, 1], bool: the scores of a beam are log-probabilities before processors see them.
 *
 * @param vocabulary The number V of tokens, below 2^24.
 */
export function buildSlotSelection(selection: SlotSelection, vocabulary: number): Graph {
  const builder = new GraphBuilder("select by slot");
  const rows = "batch*beams";
  const logits = builder.input("logits", "float32", [rows, 1, vocabulary]);
  const past = positionsOfStep(builder, rows);
  const { samples, processors } = selection;
  const unnormalized = reshape(logits, { shape: [rows, vocabulary] });
  const scores = processOwnScores(
    selection.candidates > 0
      ? where(builder.input("beam", "bool", [rows, 1]), logSoftmax(unnormalized, { axis: -1 }), unnormalized)
      : unnormalized,
    past,
    processors,
    (scores) => samples ? divideByTemperature(scores, rows) : scores,
  );
  const [best, likeliest] = topK(scores, { k: 1, axis: -1 });
  const sizes = selection.topK > 0 ? builder.input("topK", "int64", [rows, 1]) : undefined;
  const offered = sizes ? keepOwnTopK(scores, sizes, selection.topK) : scores;
  const sampled = samples ? builder.input("sampled", "bool", [rows, 1]) : undefined;
  const drawn = samples ? drawTokens(offered, selection.margins) : undefined;
  const choose = (draws: Value | undefined, takes: Value) => sampled && draws ? where(sampled, draws, takes) : takes;
  const ids = choose(drawn?.ids, likeliest);
  const tokens = builder.state("tokens", "int64", [rows, "capacity"]);
  cacheAppend(tokens, ids, { axis: 1, at: lengthsAfter(past, 1) });
  if (selection.confident) report(ids, confidences(offered, ids, samples ? undefined : best));
  if (selection.candidates > 0) offer(scores, selection.candidates, candidatesName(selection));
  if (selection.margins) {
    const margins = reshape(choose(drawn?.margin, marginOf(scores)), { shape: [rows, 1] });
    cacheAppend(builder.state("margins", "float32", [rows, maxStepsPerRead]), margins, { axis: 1, at: "at" });
  }
  return builder.build();
}
