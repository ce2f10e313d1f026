// What a decoder finds wrong with a picture's data.

/** Says what is so with the data; whoever knows the file's name puts it before, and what was expected behind. */
export class DecodeError extends Error {
  override name = "DecodeError";
}
