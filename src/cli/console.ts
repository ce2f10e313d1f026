// The command's two outputs: texts on standard output, everything else a line each on standard error.
import { LimnerError } from "../errors/mod.ts";
import { whyNotWritten } from "../errors/writing.ts";

/** Standard output cannot be written, so that more work is of no use. */
export class OutputError extends LimnerError {}

/** Standard output and standard error of the command, written at once and whole. */
export class Console {
  #closed = false;

  /** Whether whoever reads standard output has gone, so that more work is of no use. */
  get closed(): boolean {
    return this.#closed;
  }

  /**
   * Write to standard output.
   *
   * @param text What to write, line breaks included.
   * @returns Whether it could be written; false once the reader has gone (`caption … | head -1`).
   * @throws {OutputError} If it could not be written for another reason, such as a full disk.
   */
  print(text: string): boolean {
    if (this.#closed) return false;
    try {
      writeAll(Deno.stdout, text);
    } catch (error) {
      if (!(error instanceof Deno.errors.BrokenPipe)) {
        const why = whyNotWritten(error) ?? (error as Error).message;
        throw new OutputError(`Cannot write to standard output: ${why}`, { cause: error });
      }
      this.#closed = true;
    }
    return !this.#closed;
  }

  /** Write one line to standard error. */
  say(line: string): void {
    try {
      writeAll(Deno.stderr, oneLine(line) + "\n");
    } catch {
      // Nobody listens; the exit code still tells.
    }
  }

  /** Write one line that says what went wrong to standard error. */
  complain(line: string): void {
    this.say(`caption: ${line}`);
  }
}

/** @returns `text` with its line breaks, and the blanks around them, turned into single spaces. */
export function oneLine(text: string): string {
  return text.trim().replace(/\s*[\r\n\u2028\u2029]+\s*/g, " ");
}

function writeAll(stream: { writeSync(bytes: Uint8Array): number }, text: string): void {
  const bytes = new TextEncoder().encode(text);
  for (let at = 0; at < bytes.length;) at += stream.writeSync(bytes.subarray(at));
}
