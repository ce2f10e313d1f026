// Following redirects, each hop checked as the first address was.
import { HubError } from "../../errors/mod.ts";
import { type Answer, request, type RequestOptions } from "./request.ts";
import { withoutSecrets } from "./without_secrets.ts";

/** The most redirects that are followed. */
export const mostRedirects = 10;

/**
 * The address that an answer redirects to.
 *
 * @returns The address, or undefined if the answer is not a redirect.
 * @throws {HubError} If it leads to another scheme than http and https, from https to http, or nowhere.
 */
export function redirectOf({ status, headers, url, fail }: Answer): URL | undefined {
  if (![301, 302, 303, 307, 308].includes(status)) return undefined;
  const location = headers.get("location");
  const target = location === null ? null : URL.parse(location, url);
  if (!target) throw fail(`the server answered ${status}, a redirect, without an address to go to`);
  if (target.protocol !== "https:" && target.protocol !== url.protocol) {
    throw fail(`it redirects to ${withoutSecrets(target)}, and ${url.protocol} was expected`);
  }
  return target;
}

/** An error about redirects without end. */
export function tooManyRedirects(url: URL): HubError {
  return new HubError(`Cannot fetch ${withoutSecrets(url)}: it redirects more than ${mostRedirects} times`, {
    code: "network",
  });
}

/**
 * Request a file, following redirects.
 *
 * @returns The first answer that is not a redirect.
 * @throws {HubError} As {@linkcode request} does; if redirects do not end, or leave http and https.
 */
export async function requestFollowing(url: URL, options: RequestOptions = {}): Promise<Answer> {
  let target = url;
  for (let hop = 0; hop <= mostRedirects; hop++) {
    const answer = await request(target, options);
    let next: URL | undefined;
    try {
      next = redirectOf(answer);
    } catch (error) {
      answer[Symbol.dispose]();
      throw error;
    }
    if (!next) return answer;
    answer[Symbol.dispose]();
    target = next;
  }
  throw tooManyRedirects(url);
}
