// What a step decided for its rows: read from the device where a program took the tokens, taken here where rows of scores
// are needed.
import type { SlotBuffers } from "../programs/slot_buffers.ts";
import type { SlotSelection } from "../programs/slot_selection.ts";
import { stepsHeld } from "../programs/steps_held.ts";
import type { Choice } from "../search/text_state.ts";
import type { SlotRows } from "./slot_inputs.ts";
import type { SlotRow } from "./slot_row.ts";

/** Wait for `count` steps, and find the choices of each row. */
export async function readChoices(
  buffers: SlotBuffers,
  rows: SlotRows,
  { count, asked }: { readonly count: number; readonly asked: SlotSelection | undefined },
): Promise<Map<SlotRow, Choice[]>> {
  const found = new Map<SlotRow, Choice[]>();
  if (rows.some((row) => row?.host)) {
    const { data, shape } = await buffers.read("logits", rows.length);
    const width = shape[2];
    for (const [slot, row] of rows.entries()) {
      if (!row?.host || row.released) continue;
      const scores = (data as Float32Array).subarray(slot * width, (slot + 1) * width);
      const { tokens, index } = row.text;
      row.host.process(tokens, scores);
      found.set(row, [row.host.take(scores, { row: index, length: tokens.length })]);
    }
  }
  if (!rows.some((row) => row && !row.host)) return found;
  const choiceAt = asked?.confident ? await readReported(buffers, rows) : await readTokens(buffers, rows);
  const margins = asked?.margins ? (await buffers.read("margins", rows.length)).data as Float32Array : undefined;
  const marginAt = (slot: number, at: number) => margins && { margin: margins[slot * stepsHeld + at] };
  for (const [slot, row] of rows.entries()) {
    if (!row || row.host) continue;
    found.set(row, Array.from({ length: count }, (_, at) => ({ ...choiceAt(slot, row, at), ...marginAt(slot, at) })));
  }
  return found;
}

type ChoiceAt = (slot: number, row: SlotRow, at: number) => Choice;

async function readTokens(buffers: SlotBuffers, rows: SlotRows): Promise<ChoiceAt> {
  const { data, shape } = await buffers.read("tokens", rows.length);
  return (slot, { text }, at) => ({ token: Number(data[slot * shape[1] + text.tokens.length + at]) });
}

async function readReported(buffers: SlotBuffers, rows: SlotRows): Promise<ChoiceAt> {
  const data = (await buffers.read("ring", rows.length)).data as Float32Array;
  return (slot, { generation }, at) => {
    const place = 2 * (slot * stepsHeld + at);
    return { token: data[place], ...(generation.outputConfidences && { confidence: data[place + 1] }) };
  };
}
