// A streamer of a call that gives way to others.
import { abortable } from "../async/abortable.ts";
import type { Streamer } from "../generation/mod.ts";

/**
 * A streamer that holds its generation back only until another call waits, which may be its reader's own, or until the
 * generation is stopped. What it fails with later is thrown when it is called next.
 */
export function yieldingStreamer(streamer: Streamer, wanted: Promise<void>, signal?: AbortSignal): Streamer {
  let failure: { error: unknown } | undefined;
  const given = async (call: () => void | Promise<void>): Promise<void> => {
    if (failure) throw failure.error;
    const done = Promise.resolve(call());
    done.catch((error) => failure = { error });
    await abortable(Promise.race([done, wanted]), signal);
  };
  return { put: (tokens) => given(() => streamer.put(tokens)), end: () => given(() => streamer.end()) };
}
