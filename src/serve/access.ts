// Who may ask, and whose pages may read the answer.
import { createHash, timingSafeEqual } from "node:crypto";
import { HttpError } from "./http_error.ts";
import type { ServeSettings } from "./serve_options.ts";

const digest = (text: string): Uint8Array => createHash("sha256").update(text).digest();

/** Looks at keys. How long that takes says nothing of how much of a key is right. */
export class KeyCheck {
  readonly #digests: readonly Uint8Array[];

  constructor(keys: readonly string[]) {
    this.#digests = keys.map(digest);
  }

  /**
   * Find out who asks.
   *
   * @param address Where the request comes from, which tells callers of one key apart.
   * @returns A name for the caller, that of the key's place and of the address.
   * @throws {HttpError} 401 if no key, or none of those there are, is given.
   */
  callerOf(headers: Headers, address = ""): string {
    if (this.#digests.length === 0) return address;
    const given = headers.get("x-api-key") ?? /^Bearer +(.+)$/i.exec(headers.get("authorization") ?? "")?.[1];
    const own = digest(given ?? "");
    // All are compared, whichever fits.
    const fits = this.#digests.map((key) => timingSafeEqual(key, own));
    const at = fits.indexOf(true);
    if (given !== undefined && at >= 0) return `${at} ${address}`;
    throw new HttpError(
      401,
      "invalid_api_key",
      given === undefined ? "No API key was given: expected Authorization: Bearer KEY" : "The API key is not right",
      { "www-authenticate": "Bearer" },
    );
  }
}

/** The headers that let a page of another origin read an answer; none where that is not allowed. */
export function corsHeaders(request: Request, { cors }: Pick<ServeSettings, "cors">): Record<string, string> {
  const origin = request.headers.get("origin");
  if (!cors || origin === null || (cors !== "*" && !cors.includes(origin))) return {};
  const allowed = { "access-control-allow-origin": cors === "*" ? "*" : origin, vary: "origin" };
  if (request.method !== "OPTIONS") return { ...allowed, "access-control-expose-headers": "x-request-id, retry-after" };
  return {
    ...allowed,
    "access-control-allow-methods": "GET, POST",
    // What the openai package of npm sends is in lists of its own.
    "access-control-allow-headers": request.headers.get("access-control-request-headers") ?? "authorization",
    "access-control-max-age": "600",
  };
}
