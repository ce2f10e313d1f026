// What the server answers, as OpenAPI 3.1 has it.
import type { ServeSettings } from "./serve_options.ts";
import { textOptions } from "./requests/text_options.ts";

const text = { type: "string" } as const;
const number = { type: "number" } as const;

const json = (schema: object) => ({ content: { "application/json": { schema } } });

const error = {
  description: "Why not",
  ...json({
    type: "object",
    properties: { error: { type: "object", properties: { message: text, code: text }, required: ["message", "code"] } },
    required: ["error"],
  }),
};

const errors = Object.fromEntries(
  ["400", "401", "403", "404", "408", "413", "415", "429", "500", "503"].map((status) => [status, error]),
);

const captionSchema = {
  type: "object",
  required: ["text", "confidence", "words", "truncated", "milliseconds"],
  properties: {
    text,
    confidence: { ...number, description: "That of the least sure word, from 0 to 1" },
    words: { type: "array", items: { type: "object", properties: { text, confidence: number } } },
    truncated: { type: "boolean", description: "Whether the length limit cut the text" },
    repetition: { type: "boolean", description: "Whether the text runs on in circles" },
    milliseconds: { ...number, description: "From the request to the answer" },
    timings: {
      type: "object",
      description: "Milliseconds of its parts",
      properties: { read: number, queue: number, encode: number, decode: number },
    },
  },
};

const options = Object.fromEntries(Object.entries(textOptions).map(([name, type]) => [name, { type }]));
const image = { ...text, description: "Base64, a data URL, or an https address where the server allows it" };

const captionOperation = {
  summary: "Write the text of a picture",
  description: "With `Accept: text/event-stream` events `text` come as the text is decided, and `caption` at its end.",
  parameters: Object.entries(textOptions).map(([name, type]) => ({ name, in: "query", schema: { type } })),
  requestBody: {
    required: true,
    content: {
      "image/*": { schema: {} },
      "application/octet-stream": { schema: {} },
      "multipart/form-data": {
        schema: { type: "object", required: ["image"], properties: { image: {}, ...options } },
      },
      "application/json": { schema: { type: "object", required: ["image"], properties: { image, ...options } } },
    },
  },
  responses: {
    "200": {
      description: "The caption",
      content: { "application/json": { schema: captionSchema }, "text/event-stream": { schema: text } },
    },
    ...errors,
  },
};

const chatOperation = {
  summary: "Write the text of a picture, as OpenAI's API does",
  description: "One part `image_url` in the messages is the picture; texts of messages are not read.",
  requestBody: {
    required: true,
    ...json({
      type: "object",
      required: ["model", "messages"],
      properties: {
        model: text,
        messages: { type: "array", items: { type: "object" } },
        stream: { type: "boolean" },
        max_completion_tokens: number,
        temperature: number,
        ...options,
      },
    }),
  },
  responses: { "200": { description: "A chat completion, or its chunks", ...json({ type: "object" }) }, ...errors },
};

const plain = (summary: string, statuses: Readonly<Record<string, string>>) => ({
  get: {
    summary,
    responses: Object.fromEntries(Object.entries(statuses).map(([status, description]) => [status, { description }])),
  },
});

/** The description of a server. */
export function openApi({ apiKeys }: Pick<ServeSettings, "apiKeys">): Record<string, unknown> {
  const security = apiKeys.length > 0 ? { security: [{ key: [] }] } : {};
  return {
    openapi: "3.1.0",
    info: { title: "Limner", version: "1", description: "Text of pictures" },
    paths: {
      "/caption": { post: { ...captionOperation, ...security } },
      "/v1/chat/completions": { post: { ...chatOperation, ...security } },
      "/v1/models": plain("The model that there is", { "200": "A list of one" }),
      "/v1/models/{model}": {
        ...plain("A model", { "200": "The model", "404": "There is no such model" }),
        parameters: [{ name: "model", in: "path", required: true, schema: text }],
      },
      "/healthz": plain("Whether the server runs", { "200": "It does" }),
      "/readyz": plain("Whether it takes requests", { "200": "It does", "503": "Not yet, or not any more" }),
      "/metrics": plain("What was counted, for Prometheus", { "200": "Metrics" }),
      "/openapi.json": plain("This", { "200": "This" }),
    },
    ...(apiKeys.length > 0 && { components: { securitySchemes: { key: { type: "http", scheme: "bearer" } } } }),
  };
}
