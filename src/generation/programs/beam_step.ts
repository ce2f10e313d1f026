// A step of beam search in a program: the best continuations of a picture's beams become its beams, whose rows are in their
// order, the best first. Think of the rows as seats: the beams of a picture sit by rank, so after each step caches and
// tokens move to where their continuations now sit. It does what `BeamSearchState` and `HostBeams` (src/generation/search)
// do on the host, in the same order and with the same float32 sums; the host reads the continuations of several steps at
// once, and keeps which texts are finished.
import type { Graph, Value } from "../../graph/mod.ts";
import {
  add,
  assign,
  cacheAppend,
  cacheReorder,
  cast,
  concat,
  div,
  equal,
  gather,
  greaterOrEqual,
  mul,
  range,
  reshape,
  topK,
  where,
} from "../../operators/mod.ts";
import { lowest } from "../search/beam_search_state.ts";
import { forbidden } from "../scores/forbidden.ts";
import { maxStepsPerRead } from "./max_steps_per_read.ts";

/** How beams go on in a program. */
export interface Beams {
  /** Beams of each picture. */
  readonly beams: number;
  /** Continuations of each picture that the host reads. */
  readonly kept: number;
  /** The tokens that end a text. */
  readonly ends: readonly number[];
}

/** Entries [batch, m] of tables [batch, n]: `at` [batch, m] says which of a picture's own. */
function pick(table: Value, at: Value, picture: Value): Value {
  const [, length] = table.shape;
  const places = add(at, mul(picture, at.builder.scalar(length as number, "int64")));
  return gather(reshape(table, { shape: [-1] }), places, { axis: 0 });
}

/**
 * Let beams go on by a token.
 *
 * States `running` [rows, 1], the beams' scores; `ring` [batch, maxStepsPerRead, 4 · kept], for each step the continuations,
 * best first: scores, which of the `beams · each` candidates they are, tokens, the log-probabilities of these; `tokens`
 * and the caches.
 *
 * @param scores Log-probabilities after all processors, [rows, V]; rows = batch · beams.
 * @param each Candidates of each beam.
 * @param caches The decoder's states.
 */
export function advanceBeams(
  scores: Value,
  { beams, kept, ends }: Beams,
  { each, caches }: { each: number; caches: Graph["states"] },
): void {
  const { builder, shape: [rows] } = scores;
  const whole = (value: number) => builder.scalar(value, "int64");
  const [values, ids] = topK(scores, { k: each, axis: -1 });
  const running = builder.state("running", "float32", [rows, 1]);
  const added = add(values, running);
  // What is forbidden stays alike, as −∞ does.
  const least = builder.scalar(forbidden);
  const sums = where(greaterOrEqual(added, least), added, least);
  const [best, places] = topK(reshape(sums, { shape: ["batch", beams * each] }), { k: kept, axis: -1 });
  const picture = reshape(range(builder, { size: "batch" }), { shape: ["batch", 1] });
  const tokens = pick(reshape(ids, { shape: ["batch", beams * each] }), places, picture);
  const ended = add(best, builder.scalar(lowest));
  const open = ends.reduce((all, end) => where(equal(tokens, whole(end)), ended, all), best);
  const [next, order] = topK(open, { k: beams, axis: -1 });
  const parents = add(div(pick(places, order, picture), whole(each)), mul(picture, whole(beams)));
  const from = reshape(parents, { shape: [rows] });
  for (const [name, { dataType, shape }] of caches) {
    const cache = builder.state(name, dataType, [rows, ...shape.slice(1)]);
    const axis = shape.indexOf("capacity");
    const moved = cacheReorder(cache, from, { axis, length: "length", group: beams });
    if (name !== "tokens") continue;
    cacheAppend(moved, reshape(pick(tokens, order, picture), { shape: [rows, 1] }), { axis, at: "length" });
  }
  assign(running, reshape(next, { shape: [rows, 1] }));
  const own = pick(reshape(values, { shape: ["batch", beams * each] }), places, picture);
  const float = (x: Value) => cast(x, { dataType: "float32" });
  const reported = concat([best, float(places), float(tokens), own], { axis: 1 });
  const ring = builder.state("ring", "float32", ["batch", maxStepsPerRead, 4 * kept]);
  cacheAppend(ring, reshape(reported, { shape: ["batch", 1, 4 * kept] }), { axis: 1, at: "at" });
}
