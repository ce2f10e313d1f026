// csv-parse: comma-separated values with quotes, as RFC 4180 and Python's csv write them.

/** The exports that are used. */
type CsvParse = Pick<typeof import("npm:csv-parse@7.0.3/sync"), "parse">;

/** Computed, so that Deno downloads the package only for users who read a table. */
const packageName: string = ["npm:csv-parse", "7.0.3"].join("@");

/** Load the parser of whole texts. */
export async function loadCsvParse(): Promise<CsvParse["parse"]> {
  return (await import(`${packageName}/sync`)).parse;
}
