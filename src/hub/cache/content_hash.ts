// The hash that an etag of the Hub is: SHA-256 of a large file's content, git's SHA-1 of a small one's. Etags of another
// form cannot be checked.
import { createHash, type Hash } from "node:crypto";

/** Hashes a file's bytes in order, and compares the hash with its etag. */
export class ContentHash {
  readonly #hash: Hash | undefined;

  /**
   * @param etag The file's etag.
   * @param size The number of the file's bytes, which is part of what git hashes.
   */
  constructor(private readonly etag: string, size: number) {
    if (/^[0-9a-f]{64}$/.test(etag)) this.#hash = createHash("sha256");
    if (/^[0-9a-f]{40}$/.test(etag)) this.#hash = createHash("sha1").update(`blob ${size}\0`);
  }

  /** Add bytes. */
  update(bytes: Uint8Array): void {
    this.#hash?.update(bytes);
  }

  /** A clause for a message if the content has another hash than the etag; undefined if it has the same. */
  problem(): string | undefined {
    const found = this.#hash?.digest("hex");
    if (found === undefined || found === this.etag) return undefined;
    return `its ${found.length === 64 ? "SHA-256" : "git SHA-1"} is ${found}, expected ${this.etag}`;
  }
}
