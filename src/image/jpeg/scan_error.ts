// What can be wrong with a JPEG's data.

/** Says what is wrong with a scan or segment; whoever knows the file's name puts it before. */
export class ScanError extends Error {
  override name = "ScanError";
}
