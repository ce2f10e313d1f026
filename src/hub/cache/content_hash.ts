// What an etag says of a file's content: SHA-256 of a large file, git's SHA-1 of a small one. Other servers' etags say
// nothing that could be checked.
import { createHash, type Hash } from "node:crypto";

/** Hashes a file's bytes in order, and compares them with its etag. */
export class ContentHash {
  readonly #hash: Hash | undefined;

  /**
   * @param etag The file's etag.
   * @param size The file's bytes, which git hashes with it.
   */
  constructor(private readonly etag: string, size: number) {
    if (/^[0-9a-f]{64}$/.test(etag)) this.#hash = createHash("sha256");
    if (/^[0-9a-f]{40}$/.test(etag)) this.#hash = createHash("sha1").update(`blob ${size}\0`);
  }

  /** Add bytes. */
  update(bytes: Uint8Array): void {
    this.#hash?.update(bytes);
  }

  /** What is wrong with the content, for a person; undefined if nothing is. */
  problem(): string | undefined {
    const found = this.#hash?.digest("hex");
    if (found === undefined || found === this.etag) return undefined;
    return `its ${found.length === 64 ? "SHA-256" : "git SHA-1"} is ${found}, expected ${this.etag}`;
  }
}
