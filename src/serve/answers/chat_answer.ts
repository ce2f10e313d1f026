// What /v1/chat/completions answers, as OpenAI's API has it.
import type { ServedCaption } from "../captioning.ts";
import type { WriteCaption } from "./caption_answer.ts";
import { type EventAnswer, eventStream } from "./event_stream.ts";

/** What an answer is of. */
export interface ChatSubject {
  /** The request's id. */
  readonly id: string;
  readonly model: string;
  /** Seconds since 1970. */
  readonly created: number;
}

const finishReason = ({ caption: { truncated } }: ServedCaption): string => truncated ? "length" : "stop";

function usageOf({ promptTokens, caption: { ids } }: ServedCaption): Record<string, number> {
  const written = ids.length - promptTokens;
  return { prompt_tokens: promptTokens, completion_tokens: written, total_tokens: promptTokens + written };
}

/** A caption as a chat completion. */
export function chatCompletion(served: ServedCaption, { id, model, created }: ChatSubject): Record<string, unknown> {
  const message = { role: "assistant", content: served.caption.text, refusal: null };
  return {
    ...{ id: `chatcmpl-${id}`, object: "chat.completion", created, model },
    choices: [{ index: 0, message, finish_reason: finishReason(served), logprobs: null }],
    usage: usageOf(served),
  };
}

/** A caption as chunks of a chat completion. */
export function chatStream(
  caption: WriteCaption,
  { id, model, created, includesUsage, stop }: ChatSubject & {
    readonly includesUsage: boolean;
    readonly stop: () => void;
  },
): Promise<EventAnswer> {
  const chunk = (choices: readonly unknown[], usage: unknown = null) => ({
    ...{ id: `chatcmpl-${id}`, object: "chat.completion.chunk", created, model, choices },
    ...(includesUsage && { usage }),
  });
  const choice = (delta: object, finish: string | null = null) => [
    { index: 0, delta, finish_reason: finish, logprobs: null },
  ];
  return eventStream(async (write) => {
    let begun = false;
    const begin = () => {
      if (!begun) write({ data: chunk(choice({ role: "assistant", content: "" })) });
      begun = true;
    };
    const served = await caption((content) => {
      begin();
      write({ data: chunk(choice({ content })) });
    });
    begin();
    write({ data: chunk(choice({}, finishReason(served))) });
    if (includesUsage) write({ data: chunk([], usageOf(served)) });
    write({ data: "[DONE]" });
  }, stop);
}
