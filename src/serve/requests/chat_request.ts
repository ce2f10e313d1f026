// POST /v1/chat/completions: a picture in a message of OpenAI's protocol. The model writes what it sees; texts of messages
// are let be, since it cannot read them. What would change the answer and is not done is refused by name.
import { isRecord } from "../../hub/mod.ts";
import { HttpError } from "../http_error.ts";
import type { PictureRequest, RequestAccess } from "./caption_request.ts";
import { pictureBytes } from "./picture_bytes.ts";
import { type TextOptions, textOptions, textOptionsOf } from "./text_options.ts";

/** What is asked in OpenAI's protocol. */
export interface ChatRequest extends PictureRequest {
  readonly stream: boolean;
  /** Whether a stream ends with how many tokens there were. */
  readonly includesUsage: boolean;
}

/** Fields that say nothing of the answer. */
const ofNoEffect = [
  ...["user", "metadata", "store", "service_tier", "safety_identifier", "prompt_cache_key", "prompt_cache_retention"],
  ...["parallel_tool_calls", "verbosity", "reasoning_effort", "moderation"],
];

/** The only values of fields that would change the answer. */
const onlyValues: Readonly<Record<string, readonly unknown[]>> = {
  n: [1],
  frequency_penalty: [0],
  presence_penalty: [0],
  logprobs: [false],
  top_logprobs: [0],
};

const own = ["model", "messages", "stream", "stream_options", "max_tokens", "max_completion_tokens", "temperature"];

/**
 * What a chat completion asks for.
 *
 * @param body The request's JSON.
 * @param modelName The model that there is.
 * @throws {HttpError} 404 if another model is asked for, 400 if something else is wrong.
 */
export async function chatRequestOf(
  body: Readonly<Record<string, unknown>>,
  modelName: string,
  access: RequestAccess,
): Promise<ChatRequest> {
  const { model, messages, stream = false, stream_options: ofStream } = body;
  if (typeof model !== "string") throw invalid("model", "it is no text");
  if (model !== modelName) {
    const message = `There is no model ${JSON.stringify(model.slice(0, 64))}, only ${JSON.stringify(modelName)}`;
    throw new HttpError(404, "model_not_found", message);
  }
  if (stream !== null && typeof stream !== "boolean") throw invalid("stream", "it is no boolean");
  const options = optionsOf(body, access.maxBeams);
  return {
    picture: await pictureBytes(imageOf(messages), access),
    options,
    stream: stream === true,
    includesUsage: isRecord(ofStream) && ofStream.include_usage === true,
  };
}

function invalid(field: string, why: string): HttpError {
  return new HttpError(400, "invalid_request", `Cannot answer with ${field} as it is: ${why}`);
}

/** The one picture of all messages. */
function imageOf(messages: unknown): unknown {
  if (!Array.isArray(messages) || messages.length === 0) throw invalid("messages", "it is no list of messages");
  const images: unknown[] = [];
  for (const message of messages) {
    if (!isRecord(message)) throw invalid("messages", "one of them is no object");
    const { content } = message;
    if (!Array.isArray(content)) continue;
    for (const part of content) {
      if (!isRecord(part)) throw invalid("messages", "a part of a content is no object");
      if (part.type === "image_url") images.push(isRecord(part.image_url) ? part.image_url.url : part.image_url);
      else if (part.type !== "text" && part.type !== "refusal") {
        throw invalid("messages", `a part is of the type ${JSON.stringify(part.type)?.slice(0, 64)}`);
      }
    }
  }
  if (images.length === 1) return images[0];
  throw invalid("messages", `they have ${images.length} parts image_url, and one was expected`);
}

function optionsOf(body: Readonly<Record<string, unknown>>, maxBeams: number): TextOptions {
  const { max_tokens, max_completion_tokens, temperature, top_p: topP, seed, response_format: format } = body;
  const extra: Record<string, unknown> = {};
  const empty = ["tools", "tool_choice", "functions", "function_call", "stop", "logit_bias", "modalities"];
  for (const [name, value] of Object.entries(body)) {
    if ([...own, ...ofNoEffect, "top_p", "seed", "response_format"].includes(name) || value === null) continue;
    if (Object.hasOwn(onlyValues, name)) {
      if (!onlyValues[name].includes(value)) throw invalid(name, `only ${onlyValues[name]} is possible`);
    } else if (empty.includes(name)) {
      if (!isNothing(name, value)) throw invalid(name, "the model has nothing of the kind");
    } else if (Object.hasOwn(textOptions, name)) extra[name] = value;
    else throw invalid(name.slice(0, 64), "there is no such field");
  }
  if (isRecord(format) && format.type !== "text") throw invalid("response_format", "the answer is a text");
  // As OpenAI's servers do, a temperature draws; where neither is given the model's own settings say how it writes.
  const draws = (typeof temperature === "number" && temperature > 0) ||
    (temperature !== 0 && typeof topP === "number" && topP < 1);
  return textOptionsOf({
    maxNewTokens: max_completion_tokens ?? max_tokens,
    ...checkedNumbers({ temperature, topP, seed }),
    ...(draws ? { doSample: true, temperature: temperature ?? undefined, topP, seed } : {
      ...(temperature === 0 && { doSample: false }),
      temperature: undefined,
      topP: undefined,
      seed: undefined,
    }),
    ...extra,
  }, { maxBeams });
}

/** @throws {HttpError} If one of them is no number; those that are of no effect too. */
function checkedNumbers(numbers: Readonly<Record<string, unknown>>): Record<string, never> {
  for (const [name, value] of Object.entries(numbers)) {
    if (value !== undefined && value !== null && typeof value !== "number") throw invalid(name, "it is no number");
  }
  return {};
}

function isNothing(name: string, value: unknown): boolean {
  if (name === "modalities") return Array.isArray(value) && value.every((one) => one === "text");
  if (name === "tool_choice" || name === "function_call") return value === "none" || value === "auto";
  return Array.isArray(value) ? value.length === 0 : isRecord(value) && Object.keys(value).length === 0;
}
