// hyparquet-writer: writing Parquet files, in JavaScript.

/** The exports that are used. */
type HyparquetWriter = Pick<typeof import("npm:hyparquet-writer@0.17.0"), "fileWriter" | "parquetWriteRows">;

/** Computed, so that Deno downloads the package only for users who write tables. */
const packageName: string = ["npm:hyparquet-writer", "0.17.0"].join("@");

/** Load the writer. */
export async function loadHyparquetWriter(): Promise<HyparquetWriter> {
  return await import(packageName);
}
