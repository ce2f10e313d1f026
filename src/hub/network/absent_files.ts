// How servers report that a file does not exist, other than by 404: a bucket whose files may not be listed answers 403, and
// many sites answer 200 with an HTML page.

/** A source of files that can explain why a file counts as absent. */
export interface WhyMissing {
  /** What the server answered for an absent file, if that may mean something else. */
  whyMissing?(file: string): string | undefined;
}

/** The statuses by which a server reports an absent file, with a clause for messages if it may mean something else. */
export const absentStatuses: ReadonlyMap<number, string | undefined> = new Map([
  [404, undefined],
  [410, undefined],
  [403, "the server answered 403, which may mean that there is none or that it may not be read"],
]);

/** The clause for messages if an HTML page came instead of a file. */
export const pageInstead = "the server answered with an HTML page";

/** Whether a file is an HTML page, which no file of a model is. */
export function isPage(bytes: Uint8Array): boolean {
  return /^\ufeff?\s*(?:<!--[^]*?-->\s*)*<(?:!doctype\s+html|html[\s>])/i.test(
    new TextDecoder().decode(bytes.subarray(0, 512)),
  );
}

/** Why files count as absent, in brackets for a message that ends "it has no …"; empty if they simply do not exist. */
export function whyMissing(repository: WhyMissing, files: readonly string[]): string {
  const reasons = new Set(files.map((file) => repository.whyMissing?.(file)).filter((why) => why !== undefined));
  return reasons.size > 0 ? ` (${[...reasons].join("; ")})` : "";
}
