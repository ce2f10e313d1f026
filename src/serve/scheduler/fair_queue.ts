// Who is next. Think of it as a line for each caller: they are served in turn, one from each, so that a caller with a hundred
// pictures delays another's one picture by one, not by a hundred.

/** A queue that is fair between callers. */
export class FairQueue<Entry extends { readonly caller: string }> {
  /** The lines, that of the caller whose turn is next first. */
  readonly #lines = new Map<string, Entry[]>();
  #length = 0;

  /** Entries that wait. */
  get length(): number {
    return this.#length;
  }

  /** Let an entry wait. */
  push(entry: Entry): void {
    this.#lines.getOrInsertComputed(entry.caller, () => []).push(entry);
    this.#length++;
  }

  /** The entry whose turn it is. */
  get next(): Entry | undefined {
    const [line] = this.#lines.values();
    return line?.[0];
  }

  /** Take the next entry; the turn of its caller comes again after those of all others. */
  shift(): Entry | undefined {
    const [next] = this.#lines;
    if (!next) return undefined;
    const [caller, line] = next;
    const entry = line.shift()!;
    this.#lines.delete(caller);
    if (line.length > 0) this.#lines.set(caller, line);
    this.#length--;
    return entry;
  }

  /** Take an entry out of its turn. @returns Whether it waited. */
  remove(entry: Entry): boolean {
    const line = this.#lines.get(entry.caller);
    const at = line?.indexOf(entry) ?? -1;
    if (!line || at < 0) return false;
    line.splice(at, 1);
    if (line.length === 0) this.#lines.delete(entry.caller);
    this.#length--;
    return true;
  }
}
