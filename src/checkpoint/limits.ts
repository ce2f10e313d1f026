// Bounds that keep a hostile file from costing more memory or time than an honest one of its size.
// Real checkpoints of this model family stay far below each of them.

/** The largest safetensors header, in bytes. */
export const maxHeaderBytes = 16 << 20;
/** The largest index of a sharded checkpoint, in bytes. */
export const maxIndexBytes = 4 << 20;
/** The most lists and objects in an index; one needs two. */
export const maxIndexObjects = 1000;
/** The most tensors in a file or an index. */
export const maxTensors = 10_000;
/** The highest rank of a tensor. */
export const maxRank = 32;
/** The longest tensor name, in bytes of the file. */
export const maxNameBytes = 4096;
/** The most bytes of the names of a file's tensors together: nesting can make them longer than the file. */
export const maxNamesBytes = 4 << 20;

/** The longest pickle, in bytes: a checkpoint's names and shapes, not its values. */
export const maxPickleBytes = 8 << 20;
/** The most values on a pickle's stack; Python adds to containers in batches of 1000. */
export const maxPickleStack = 20_000;
/** The most lists, tuples, dictionaries and objects that a pickle may make: seven per tensor, for 10,000 tensors. */
export const maxPickleObjects = 75_000;
/** The most values that a pickle's lists, tuples and dictionaries may hold together. */
export const maxPickleItems = 200_000;
/** The most values that a pickle may keep for later use. */
export const maxPickleMemo = 200_000;
/** How deep dictionaries of tensors may be nested. */
export const maxNesting = 32;
/** The most entries in a zip file: one storage per tensor and a few more. */
export const maxEntries = maxTensors + 100;
/** The largest central directory of a zip file, in bytes. */
export const maxDirectoryBytes = 16 << 20;

/** The most bytes that the tensors (or the inflated entries) of a file of `fileBytes` may take in memory together. */
export function maxExpandedBytes(fileBytes: number): number {
  return 4 * fileBytes + (8 << 20);
}
