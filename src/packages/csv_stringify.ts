// csv-stringify: comma-separated values with quotes, as csv-parse reads them.

/** The exports that are used. */
type CsvStringify = Pick<typeof import("npm:csv-stringify@6.9.0/sync"), "stringify">;

/** Computed, so that Deno downloads the package only for users who write tables. */
const packageName: string = ["npm:csv-stringify", "6.9.0"].join("@");

/** Load the function that makes text of rows. */
export async function loadCsvStringify(): Promise<CsvStringify["stringify"]> {
  return (await import(`${packageName}/sync`)).stringify;
}
