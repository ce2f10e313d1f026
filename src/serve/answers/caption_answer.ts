// What /caption answers.
import type { CaptionTask, ServedCaption } from "../captioning.ts";
import { type EventAnswer, eventStream } from "./event_stream.ts";

const milliseconds = (value: number): number => Math.round(value * 100) / 100;

/** A caption as an object. @param total How long the request took, in milliseconds. */
export function captionObject({ caption, times }: ServedCaption, total: number): Record<string, unknown> {
  const { text, confidence, words, truncated, repetition } = caption;
  const timings = Object.fromEntries(Object.entries(times).map(([part, value]) => [part, milliseconds(value)]));
  return { text, confidence, words, truncated, repetition, milliseconds: milliseconds(total), timings };
}

/** Captions a picture. */
export type WriteCaption = (onText?: CaptionTask["onText"]) => Promise<ServedCaption>;

/** A caption as events: `text` with each piece, `caption` with all of it at the end. */
export function captionStream(
  caption: WriteCaption,
  { began, stop }: { readonly began: number; readonly stop: () => void },
): Promise<EventAnswer> {
  return eventStream(async (write) => {
    const served = await caption((text) => write({ name: "text", data: { text } }));
    write({ name: "caption", data: captionObject(served, performance.now() - began) });
  }, stop);
}
