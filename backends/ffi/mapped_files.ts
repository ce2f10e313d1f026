// The files that weights lie in, each mapped once for all sessions.
import { callLater } from "../../src/async/delay.ts";
import type { FileRegion } from "../../src/weights/mod.ts";
import { FileMapping } from "./file_mapping.ts";

/** The interval in which mapped pages are released, in milliseconds: some MB are read in between. */
const pageMilliseconds = 5;

/** Mapped files. */
export class MappedFiles {
  /** By path, the newest last. */
  readonly #mappings = new Map<string, (FileMapping | undefined)[]>();

  /** The address of a region in its file, which is mapped for it; undefined where files cannot be mapped. */
  addressOf({ path, offset }: FileRegion): Deno.PointerObject | undefined {
    const mappings = this.#mappings.get(path) ?? [];
    this.#mappings.set(path, mappings);
    // A model may have been saved over its own files: earlier mappings stay, and later parameters are in the new file.
    if (mappings.at(-1)?.isCurrent !== true) mappings.push(FileMapping.open(path));
    return mappings.at(-1)?.at(offset);
  }

  /** Do work that reads mapped files once: their pages are released meanwhile, so that they do not add to the memory of the
   * copies that it makes. */
  async releasingPages<T>(work: () => Promise<T>): Promise<T> {
    const releasePages = () => {
      for (const mapping of [...this.#mappings.values()].flat()) mapping?.releasePages();
    };
    if (this.#mappings.size === 0) return await work();
    let cancel = () => {};
    const releaseLater = () => {
      cancel = callLater(pageMilliseconds, () => {
        releasePages();
        releaseLater();
      });
    };
    releaseLater();
    try {
      return await work();
    } finally {
      cancel();
      releasePages();
    }
  }

  /** Forget the files. @returns What unmaps them, once nothing reads them any more. */
  forget(): () => void {
    const mappings = [...this.#mappings.values()].flat();
    this.#mappings.clear();
    return () => mappings.forEach((mapping) => mapping?.[Symbol.dispose]());
  }
}
