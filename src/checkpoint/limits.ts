// Bounds that keep a hostile file from costing more memory or time than an honest one of its size.
// Real checkpoints of this model family stay far below each of them.

/** The largest safetensors header, in bytes. */
export const maxHeaderBytes = 16 << 20;
/** The largest index of a sharded checkpoint, in bytes. */
export const maxIndexBytes = 4 << 20;
/** The most tensors in a checkpoint, shards in an index and entries in a zip file. */
export const maxTensors = 100_000;
/** The highest rank of a tensor. */
export const maxRank = 32;
/** The longest tensor name, in bytes of the file. */
export const maxNameBytes = 4096;
