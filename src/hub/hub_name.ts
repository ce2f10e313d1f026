// Names of repositories, revisions and commits on the Hub, and which of them are safe to make paths of.
import { OptionError } from "../errors/mod.ts";

const part = /^(?!.*(--|\.\.))(?![-.])[\w.-]{1,96}(?<![-.])$/;

/** Whether a source has the form of a name on the Hub: `name` or `organisation/name`. */
export function isHubName(source: string): boolean {
  const parts = source.split("/");
  return parts.length <= 2 && source.length <= 96 && parts.every((name) => part.test(name)) && !/\.git$/.test(source);
}

/** Whether a revision is a commit, which never changes. */
export function isCommit(revision: string): boolean {
  return /^[0-9a-f]{40}$/.test(revision);
}

/**
 * Check a revision.
 *
 * @throws {OptionError} If it is none that git could have, or one that would lead out of the cache.
 */
export function checkRevision(revision: string): string {
  const parts = revision.split("/");
  const fine = !/[\\\0-\x20~^:?*[\x7f]/.test(revision) && revision.length <= 250 &&
    parts.every((name) => name !== "" && !name.startsWith(".") && !name.includes(".."));
  if (fine) return revision;
  throw new OptionError(
    `Cannot load with the option "revision": it is ${JSON.stringify(revision)}, expected a branch, a tag or a commit`,
  );
}
