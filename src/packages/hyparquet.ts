// hyparquet: reading Parquet files, in JavaScript.

/** The exports that are used. */
type Hyparquet = Pick<typeof import("npm:hyparquet@1.31.5"), "asyncBufferFromFile" | "parquetReadObjects">;

/** Computed, so that Deno downloads the package only for users who write tables. */
const packageName: string = ["npm:hyparquet", "1.31.5"].join("@");

/** Load the reader. */
export async function loadHyparquet(): Promise<Hyparquet> {
  return await import(packageName);
}
