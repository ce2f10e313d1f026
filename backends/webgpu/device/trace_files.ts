// A trace as files: the WGSL of each kernel, and the list of dispatches with their times.
import { writing } from "../../../src/errors/writing.ts";
import type { TimedDispatch } from "./trace.ts";

/** What the dispatches of one kernel took together. */
export interface KernelTime {
  readonly label: string;
  readonly count: number;
  readonly microseconds: number;
  /** Bytes and operations of all of them; operations are undefined where they are not known. */
  readonly bytes: number;
  readonly operations: number | undefined;
}

/** The kernels of dispatches by their labels, the one that took longest first. */
export function kernelTimes(dispatches: readonly TimedDispatch[]): KernelTime[] {
  const kernels = Map.groupBy(dispatches, ({ label }) => label);
  return [...kernels].map(([label, own]): KernelTime => {
    const sum = (of: (dispatch: TimedDispatch) => number) => own.reduce((total, dispatch) => total + of(dispatch), 0);
    return {
      label,
      count: own.length,
      microseconds: sum(({ begin = 0, end = 0 }) => end - begin),
      bytes: sum(({ bytes }) => bytes),
      operations: own.every(({ operations }) => operations !== undefined) ? sum((each) => each.operations!) : undefined,
    };
  }).sort((a, b) => b.microseconds - a.microseconds);
}

/** The kernels' sources by file name, numbered in the order of their first use. */
export function kernelFiles(dispatches: readonly TimedDispatch[]): Map<string, string> {
  const codes = new Map(dispatches.map(({ code, label }) => [code, label]));
  return new Map(
    [...codes].map((
      [code, label],
      i,
    ) => [`${String(i).padStart(3, "0")} ${label}.wgsl`.replaceAll(/[ /]/g, "_"), code]),
  );
}

/** The list of dispatches, a line each, for a person or a program to read. */
export function dispatchList(dispatches: readonly TimedDispatch[]): string {
  const names = new Map([...kernelFiles(dispatches)].map(([name, code]) => [code, name]));
  const lines = dispatches.map(({ code, workgroups, begin, end, bytes, operations }) =>
    JSON.stringify({ kernel: names.get(code), workgroups, begin, end, bytes, operations })
  );
  return `${lines.join("\n")}\n`;
}

/**
 * Write a trace to a folder, which is made.
 *
 * @param folder Its path.
 */
export async function writeTrace(folder: string, dispatches: readonly TimedDispatch[]): Promise<void> {
  await writing(folder, async () => {
    await Deno.mkdir(folder, { recursive: true });
    for (const [name, code] of kernelFiles(dispatches)) await Deno.writeTextFile(`${folder}/${name}`, code);
    await Deno.writeTextFile(`${folder}/dispatches.jsonl`, dispatchList(dispatches));
  });
}
