// The lines of a stream of bytes, in bounded memory: of a line that is too long nothing is kept.

/** A line: its text, and what is wrong with it. */
export interface Line {
  /** Its number, from 1 on. */
  readonly number: number;
  /** Its text, with marks for what is no UTF-8; undefined if it is too long. */
  readonly text?: string;
  readonly problem?: "too long" | "no UTF-8";
  /** Its length in bytes, without the line break; of one that is too long, what was counted. */
  readonly bytes: number;
  /** Whether a line break ends it; only the last of a stream may lack one. */
  readonly whole: boolean;
}

/** The bytes that a line has room for at first. */
const firstRoom = 2 ** 16;

/**
 * Read lines, those that are empty included.
 *
 * @param mostBytes The longest line that is kept.
 */
export async function* readLines(stream: AsyncIterable<Uint8Array>, mostBytes: number): AsyncGenerator<Line> {
  const utf8 = new TextDecoder("utf-8", { fatal: true });
  let kept = new Uint8Array(firstRoom);
  let bytes = 0;
  let number = 0;
  const add = (piece: Uint8Array) => {
    const from = bytes;
    bytes += piece.length;
    if (bytes > mostBytes) kept = new Uint8Array(firstRoom);
    else {
      if (bytes > kept.length) {
        const larger = new Uint8Array(Math.max(bytes, Math.min(2 * kept.length, mostBytes)));
        larger.set(kept.subarray(0, from));
        kept = larger;
      }
      kept.set(piece, from);
    }
  };
  const end = (whole: boolean): Line => {
    const line = { number: ++number, bytes, whole };
    bytes = 0;
    if (line.bytes > mostBytes) return { ...line, problem: "too long" };
    const content = kept.subarray(0, line.bytes);
    try {
      return { ...line, text: utf8.decode(content) };
    } catch {
      return { ...line, text: new TextDecoder().decode(content), problem: "no UTF-8" };
    } finally {
      if (kept.length > 16 * firstRoom) kept = new Uint8Array(firstRoom);
    }
  };
  for await (const chunk of stream) {
    let at = 0;
    for (let next = chunk.indexOf(10); next >= 0; next = chunk.indexOf(10, at)) {
      add(chunk.subarray(at, next));
      yield end(true);
      at = next + 1;
    }
    add(chunk.subarray(at));
  }
  if (bytes > 0) yield end(false);
}
