// Rows that have ended stop costing: those that go on are moved together once that saves a quarter.
import type { Move, Session } from "../programs/session.ts";

/** Where the rows that go on move. */
export interface Compaction {
  /** How many pictures, and rows of each; a row that none moves to is idle. */
  readonly to: { readonly batch: number; readonly beams: number };
  readonly moves: { readonly pictures: readonly Move[]; readonly rows: readonly Move[] };
}

/**
 * Plan to keep the rows that go on.
 *
 * @param open Which rows do, those of a picture together.
 * @param beams The rows of a picture.
 * @returns Nothing where less than a quarter of the rows would be saved, or all have ended.
 */
export function compaction(open: readonly boolean[], beams: number): Compaction | undefined {
  const rows = [...open.keys()].filter((row) => open[row]);
  const pictures = [...Map.groupBy(rows, (row) => Math.floor(row / beams))];
  const to = { batch: pictures.length, beams: Math.max(0, ...pictures.map(([, own]) => own.length)) };
  if (to.batch === 0 || to.batch * to.beams > open.length * 3 / 4) return undefined;
  const moves = {
    pictures: pictures.map(([from], picture): Move => [from, picture]),
    rows: pictures.flatMap(([, own], picture) => own.map((from, i): Move => [from, picture * to.beams + i])),
  };
  return { to, moves };
}

/**
 * Let a session go on without the rows that have ended, where that saves enough.
 *
 * @param open Which rows go on, those of a picture together.
 * @param length The tokens of each row so far.
 * @returns Where rows and pictures have moved, if they have.
 */
export function compact(session: Session, open: readonly boolean[], length: number): Compaction | undefined {
  const plan = compaction(open, session.sizes.beams);
  if (plan) session.shrink(plan.to, plan.moves, length);
  return plan;
}
