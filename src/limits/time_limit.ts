// A limit of time for work with regular expressions that files bring, a tokenizer's or an adapter's. V8's engine tries each
// way to match, so that some take years for forty characters. What ends them is node:vm, which stops whatever runs
// within one of its scripts, a match too, for about 20 µs a call. The alternatives are worse: an engine without backtracking
// has no look-around, which GPT-2's pattern needs; a worker cannot answer encode(), which is synchronous, without copying
// each text twice; and a bound of the pattern's and the text's lengths would have to be far below what is published. It is looked
// up when it is first needed, since it takes 20 ms to load, and a browser has none: there whoever leaves the page ends the work.
import { LimitError, LimnerError } from "../errors/mod.ts";
import { defaultLimits, type Limits } from "./limits.ts";

/** What is used of node:vm. */
interface VirtualMachine {
  createContext(scope: object): object;
  readonly Script: new (code: string) => { runInContext(context: object, options: { timeout: number }): unknown };
}

interface Runtime {
  readonly process?: {
    getBuiltinModule?(name: "node:vm"): VirtualMachine | undefined;
    cpuUsage?(): { readonly user: number; readonly system: number };
  };
}

/** What the script calls: the work that is limited. */
const scope: { work?: () => void } = {};
let callWork: ((milliseconds: number) => void) | undefined;

/** Makes what calls the work for so many milliseconds at most. */
function makeCall(): (milliseconds: number) => void {
  const machine = (globalThis as Runtime).process?.getBuiltinModule?.("node:vm");
  if (!machine) return () => scope.work!();
  const script = new machine.Script("work()");
  const context = machine.createContext(scope);
  return (timeout) => script.runInContext(context, { timeout });
}

/** How many times its limit work may take where others have the processor. */
const mostWaiting = 4;

/** The longest time that node:vm takes, in milliseconds. */
const longest = 2 ** 31;

/** The processor time of this process, in milliseconds; undefined where nobody says. A thread's own takes ten times as long to ask for. */
function processorTime(): number | undefined {
  const used = (globalThis as Runtime).process?.cpuUsage?.();
  return used && (used.user + used.system) / 1000;
}

const hasTimedOut = (error: unknown) => (error as { code?: unknown })?.code === "ERR_SCRIPT_EXECUTION_TIMEOUT";

/**
 * Do work within some milliseconds. Where this process had the processor for less than half of them, as on a busy machine or with a
 * share of a core, the work is done once more, for as long as that share asks for.
 */
function call(work: () => void, milliseconds: number): void {
  callWork ??= makeCall();
  scope.work = work;
  const before = processorTime();
  try {
    callWork(milliseconds);
  } catch (error) {
    const used = hasTimedOut(error) && before !== undefined ? processorTime()! - before : milliseconds;
    if (used > milliseconds / 2) throw error;
    const times = Math.min(milliseconds / Math.max(used, 1), mostWaiting);
    callWork(Math.min(Math.ceil(milliseconds * times), longest));
  } finally {
    scope.work = undefined;
  }
}

/** A text for which the limit counts once; longer ones have the same time for each part of this length. */
const charactersPerLimit = 100_000;

/** What is done, for messages. */
export interface LimitedWork {
  /** What cannot be done, such as `Cannot encode a text of 40 characters with org/model/tokenizer.json`. */
  readonly task: string;
  /** The length of the text that is matched. @default 0 */
  readonly characters?: number;
  /** The keys of the file whose patterns do it, for the error's key, such as `normalizer, pre_tokenizer`. */
  readonly parts: string;
}

/**
 * Do something within the time that patterns of a file may take, apart from the time that others have the processor for.
 *
 * @param work What is done; it may be done twice.
 * @throws {LimitError} If it takes longer; it has been stopped.
 * @throws {LimnerError} If V8 cannot do it: a text that grows beyond what a string holds, a pattern that needs more stack.
 */
export function withinTime<T>(
  work: () => T,
  { task, characters = 0, parts }: LimitedWork,
  { patternMilliseconds }: Pick<Limits, "patternMilliseconds"> = defaultLimits,
): T {
  const most = Math.min(Math.ceil(patternMilliseconds * Math.max(1, characters / charactersPerLimit)), longest);
  let result: T;
  try {
    call(() => {
      result = work();
    }, most);
  } catch (error) {
    if (hasTimedOut(error)) {
      throw new LimitError(
        `${task}: its ${parts} had not ended after ${most} milliseconds, as where a pattern tries all ways to match ` +
          "(limits.patternMilliseconds)",
        { limit: "patternMilliseconds", amount: most, most, key: parts },
      );
    }
    if (error instanceof RangeError || error instanceof SyntaxError) {
      throw new LimnerError(`${task}: its ${parts} ask for more than can be held: ${error.message}`, { cause: error });
    }
    throw error;
  }
  return result!;
}
