// Answers of JSON.
import type { HttpError } from "../http_error.ts";

/** An object as an answer. */
export function jsonAnswer(value: unknown, status = 200, headers: Readonly<Record<string, string>> = {}): Response {
  return new Response(JSON.stringify(value), { status, headers: { "content-type": "application/json", ...headers } });
}

/** What went wrong as an object; OpenAI's clients look for its type. */
export function errorObject({ status, code, message }: HttpError): Record<string, unknown> {
  const type = status >= 500 ? "server_error" : status === 429 ? "rate_limit_error" : "invalid_request_error";
  return { error: { message, type, param: null, code } };
}

/** What went wrong as an answer. */
export function errorAnswer(error: HttpError): Response {
  return jsonAnswer(errorObject(error), error.status, error.headers);
}
