// Counting what Deno's test runner counted, from the summary it ends with.

/**
 * Copy a test runner's output to standard output, and find its summary.
 *
 * @param output What `deno test` writes to standard output.
 * @returns How many tests passed and failed; undefined where there is no summary.
 */
export async function countTests(output: ReadableStream<Uint8Array>): Promise<Counts | undefined> {
  const decoder = new TextDecoder();
  let tail = "";
  for await (const bytes of output) {
    for (let at = 0; at < bytes.length;) at += Deno.stdout.writeSync(bytes.subarray(at));
    tail = (tail + decoder.decode(bytes, { stream: true })).slice(-4096);
  }
  return parseSummary(tail);
}

/** What a test runner counted. */
export interface Counts {
  readonly passed: number;
  readonly failed: number;
  readonly ignored: number;
}

/** @returns The counts in the last line such as `ok | 12 passed (3 steps) | 0 failed | 1 ignored (2s)`. */
export function parseSummary(text: string): Counts | undefined {
  // deno-lint-ignore no-control-regex
  const plain = text.replace(/\x1b\[[0-9;]*m/g, "");
  const line = /^(?:ok|FAILED) \| (\d+) passed(?: \(.*?\))? \| (\d+) failed(?: \(.*?\))?(?: \| (\d+) ignored)?/gm;
  const found = [...plain.matchAll(line)].at(-1);
  return found && { passed: Number(found[1]), failed: Number(found[2]), ignored: Number(found[3] ?? 0) };
}
