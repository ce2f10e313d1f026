// The options of `caption.ts serve`. Imports no model.
import type { ValueForm } from "../_parse.ts";
import { readingValued } from "../options.ts";

/** Those without a value. */
export const serveFlags = ["offline", "allow-private", "low-memory", "verbose", "allow-addresses"] as const;

const { model, revision, tokenizer, processor, backend, dtype, device } = readingValued;
const count: ValueForm = { form: /^[1-9]\d{0,8}$/, expected: "a whole number from 1" };

/** Those with one. */
export const serveValued = {
  ...{ model, revision, tokenizer, processor, backend, dtype, device },
  "token-file": readingValued["token-file"],
  "max-pixels": readingValued["max-pixels"],
  port: { form: /^(?:0|[1-9]\d{0,4})$/, most: 65535, expected: "a port from 0 to 65535" },
  host: { form: /./, expected: "a name or an address of this machine" },
  "api-key": { form: /./, expected: "the key that requests must have" },
  "model-name": { form: /./, expected: "what clients call the model" },
  cors: { form: /^(?:\*|https?:\/\/[^,\s]+(?:,https?:\/\/[^,\s]+)*)$/, expected: "* or origins joined by commas" },
  slots: count,
  queue: count,
  "max-body": count,
  timeout: count,
  "body-timeout": count,
  log: { form: /^(?:json|text|debug|none)$/, expected: "one of json, text, debug, none" },
} as const satisfies Record<string, ValueForm>;
