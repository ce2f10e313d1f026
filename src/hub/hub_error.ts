// Errors of the Hub with messages for a person. X-Error-Code is more precise than the status, which hides what is private.
import { HubError } from "../errors/mod.ts";
import type { Answer } from "./network/request.ts";

/** The file that was requested, and with which token. */
export interface RequestedFile {
  readonly name: string;
  readonly revision: string;
  /** The repository's page, where a person accepts its terms. */
  readonly page: string;
  readonly token?: string;
}

/**
 * The error for an answer that has no file.
 *
 * @returns The error, or undefined if the answer only means that the revision has no such file.
 */
export function hubErrorOf(answer: Answer, { name, revision, page, token }: RequestedFile): HubError | undefined {
  const { status, headers } = answer;
  const code = headers.get("x-error-code");
  const refuse = (reason: string, code: HubError["code"]) => new HubError(`${answer.fail(reason).message}`, { code });
  const who = token ? "whoever the token belongs to" : "whoever asks without a token";
  if (code === "EntryNotFound") return undefined;
  if (code === "RevisionNotFound") return refuse(`${name} has no branch, tag or commit ${revision}`, "not-found");
  if (code === "GatedRepo") {
    return refuse(
      `${name} is gated, and not open to ${who}; accept its terms at ${page}, and give a token (HF_TOKEN, the option ` +
        `token, or --token-file)`,
      "not-allowed",
    );
  }
  if (code === "RepoNotFound" || (status === 401 && !token)) {
    return refuse(`the Hub has no ${name}, or it is private and hidden from ${who}`, "not-found");
  }
  const said = headers.get("x-error-message");
  const more = said ? `: ${said.slice(0, 200)}` : "";
  if (status === 401) return refuse(`the token was refused${more}`, "not-allowed");
  if (status === 403) return refuse(`${who} may not have it${more}`, "not-allowed");
  if (status === 404) return refuse("the server answered 404 without saying what is missing", "not-found");
  return refuse(`the server answered ${status}${more}`, "network");
}
