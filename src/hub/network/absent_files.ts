// How servers say that a file is not there, other than by 404: a bucket whose files may not be listed answers 403, and
// many sites answer 200 with a page of their own.

/** What tells why a file is taken for absent. */
export interface WhyMissing {
  /** What the server answered for a file that is not there, if not simply that. */
  whyMissing?(file: string): string | undefined;
}

/** The statuses by which a server says that there is no such file, and what is to be said of those that may mean more. */
export const absentStatuses: ReadonlyMap<number, string | undefined> = new Map([
  [404, undefined],
  [410, undefined],
  [403, "the server answered 403, which may mean that there is none or that it may not be read"],
]);

/** What is to be said where a page came instead of a file. */
export const pageInstead = "the server answered with an HTML page";

/** Whether a file is an HTML page, which no file of a model is. */
export function isPage(bytes: Uint8Array): boolean {
  return /^\ufeff?\s*(?:<!--[^]*?-->\s*)*<(?:!doctype\s+html|html[\s>])/i.test(
    new TextDecoder().decode(bytes.subarray(0, 512)),
  );
}

/** The reason why files are missing, to be put behind "it has no …"; empty where there is none but that they are. */
export function whyMissing(repository: WhyMissing, files: readonly string[]): string {
  const reasons = new Set(files.map((file) => repository.whyMissing?.(file)).filter((why) => why !== undefined));
  return reasons.size > 0 ? ` (${[...reasons].join("; ")})` : "";
}
