// How long a test goes on: a short form for every run, the whole by `deno task test:long`.

/** Whether the whole is asked for. */
export const isLong: boolean = Deno.env.get("LIMNER_TEST_LONG") === "1";

/** @returns The number that suits the run. */
export function effort(short: number, long: number): number {
  return isLong ? long : short;
}
