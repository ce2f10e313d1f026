// The log of a folder's captions: JSON lines, one a picture, which only grows. Whatever kills the process, it holds whole
// lines and at most one that was not written to its end, which is cut off before the next is written. So it is both what is
// written and the memory of what is done.
import { LimnerError, WriteError } from "../../errors/mod.ts";
import { notWritten, writing } from "../../errors/writing.ts";
import { isRecord, splitPath } from "../../hub/mod.ts";
import { PendingFile, removeStaleFiles } from "../../hub/atomic_file.ts";
import { readLines } from "./read_lines.ts";

/** A line of the log. */
export interface CaptionRow extends Readonly<Record<string, unknown>> {
  /** The picture, from the folder on. */
  readonly file: string;
}

/** The longest line, far longer than any text. */
const mostLineBytes = 2 ** 28;

/** What every line begins with, also one that was not written to its end. */
const beginning = '{"file":';

/** An open log. */
export class CaptionLog implements Disposable {
  readonly #path: string;
  readonly #file: Deno.FsFile;
  /** The pictures that have a line. */
  readonly done: ReadonlySet<string>;
  /** How many of them have an error in it. */
  readonly failed: number;

  private constructor(path: string, file: Deno.FsFile, done: ReadonlySet<string>, failed: number) {
    [this.#path, this.#file, this.done, this.failed] = [path, file, done, failed];
  }

  /**
   * Open a log, which is made if it is missing.
   *
   * @throws {LimnerError} If another process writes it, a line is none of a log (nothing is changed then), or it cannot be
   * written.
   */
  static async open(path: string): Promise<CaptionLog> {
    const file = await openLocked(path);
    await removeStaleFiles(splitPath(path).folder);
    try {
      const done = new Set<string>();
      let [failed, end] = [0, 0];
      for await (const { row, bytes } of rowsOf(path)) {
        end += bytes;
        done.add(row.file);
        if ("error" in row) failed++;
      }
      await writing(path, () => file.truncate(end));
      await file.seek(0, Deno.SeekMode.End);
      return new CaptionLog(path, file, done, failed);
    } catch (error) {
      file.close();
      throw error;
    }
  }

  /** Write lines at once. @throws {WriteError} If they cannot be written. */
  append(rows: readonly CaptionRow[]): void {
    const bytes = new TextEncoder().encode(rows.map(lineOf).join(""));
    try {
      for (let at = 0; at < bytes.length;) at += this.#file.writeSync(bytes.subarray(at));
    } catch (error) {
      throw notWritten(this.#path, error);
    }
  }

  /** Wait until what was written is on the disk. */
  async flush(): Promise<void> {
    await writing(this.#path, () => this.#file.syncData());
  }

  [Symbol.dispose](): void {
    this.#file.close();
  }
}

/**
 * The rows of a log, without one that was not written to its end.
 *
 * @returns Each row with the bytes of its line.
 * @throws {LimnerError} If a line is none of a log.
 */
export async function* rowsOf(path: string): AsyncGenerator<{ row: CaptionRow; bytes: number }> {
  const file = await Deno.open(path);
  for await (const { text = "", problem, number, bytes, whole } of readLines(file.readable, mostLineBytes)) {
    const row = problem ? undefined : parse(text);
    if (whole && row) yield { row, bytes: bytes + 1 };
    else if (whole || !beginning.startsWith(text.slice(0, beginning.length))) {
      const expected = 'expected an object with "file", as an earlier run wrote it';
      throw new LimnerError(`Cannot go on with ${path}: its line ${number} is no caption, ${expected}`);
    }
  }
}

/** Write a log anew with some of its rows; it is replaced in one moment. */
export async function rewriteLog(path: string, rows: AsyncIterable<CaptionRow>): Promise<void> {
  const { folder, name } = splitPath(path);
  using pending = await PendingFile.create(folder, name);
  for await (const row of rows) await pending.write(new TextEncoder().encode(lineOf(row)));
  await pending.flush();
  await pending.appear();
}

async function openLocked(path: string): Promise<Deno.FsFile> {
  const file = await writing(path, () => Deno.open(path, { read: true, write: true, create: true }));
  // Some network file systems have no locks.
  if (await file.tryLock(true).catch(() => true)) return file;
  file.close();
  throw new WriteError(`Cannot write ${path}: another process writes it`, path);
}

function parse(text: string): CaptionRow | undefined {
  try {
    const row = JSON.parse(text);
    return isRecord(row) && typeof row.file === "string" ? row as CaptionRow : undefined;
  } catch {
    return undefined;
  }
}

function lineOf({ file, ...rest }: CaptionRow): string {
  return JSON.stringify({ file, ...rest }) + "\n";
}
