// Greedy search: the device takes the best token of each step by itself; the host looks at the tokens now and then.
import type { Generation, Streamer } from "./options.ts";
import type { Session } from "./session.ts";

/** The tokens of each row so far, and whether it has ended. */
interface Rows {
  readonly tokens: number[][];
  readonly ended: boolean[];
}

/** Take the tokens that were decided up to `length`; what a row has behind its end token is not its own. */
function collect(rows: Rows, data: ArrayLike<bigint | number>, length: number, generation: Generation): number[][] {
  const capacity = data.length / rows.tokens.length;
  return rows.tokens.map((tokens, row) => {
    const fresh: number[] = [];
    while (!rows.ended[row] && tokens.length < length) {
      const token = Number(data[row * capacity + tokens.length]);
      tokens.push(token);
      fresh.push(token);
      rows.ended[row] = generation.eosTokenIds.includes(token) ||
        generation.stoppingCriteria.some((stops) => stops(tokens));
    }
    return fresh;
  });
}

/**
 * Decode greedily, the encoder's programs being queued before.
 *
 * @param session The buffers, with room for `maxLength` positions.
 * @param options.streamer Is given each token as it is decided: one wait a token.
 * @returns The rows with their prompts, padded to the longest; whether each was cut by the length.
 */
export async function decodeGreedily(
  session: Session,
  generation: Generation,
  options: { streamer?: Streamer; signal?: AbortSignal } = {},
): Promise<{ sequences: number[][]; truncated: boolean[] }> {
  const { prompts, maxLength, padTokenId } = generation;
  const { streamer, signal } = options;
  const stepsPerRead = streamer ? 1 : session.runner.backend.stepsPerRead;
  const rows: Rows = { tokens: prompts.map((prompt) => [...prompt]), ended: prompts.map(() => false) };
  session.writeTokens(prompts);
  let length = prompts[0].length;
  session.decode(0, length++);
  for (let queued = 1;; queued = 0) {
    for (; queued < stepsPerRead && length < maxLength; queued++) session.decode(length++ - 1, 1);
    const { data } = await session.readTokens(signal);
    const fresh = collect(rows, data as BigInt64Array, length, generation);
    await streamer?.put(fresh);
    if (length >= maxLength || rows.ended.every(Boolean)) break;
  }
  streamer?.end();
  const longest = Math.max(...rows.tokens.map((tokens) => tokens.length));
  const sequences = rows.tokens.map((tokens) => [...tokens, ...Array(longest - tokens.length).fill(padTokenId)]);
  return { sequences, truncated: rows.ended.map((ended) => !ended) };
}
