// How much a test tries: a short form in every run, the long form in `deno task test:long`.

/** Whether the long form was asked for. */
export const isLong: boolean = Deno.env.get("LIMNER_TEST_LONG") === "1";

/** The number for this run: of the short form, or of the long one. */
export function effort(short: number, long: number): number {
  return isLong ? long : short;
}
