// The small text that stands for a large file where Git LFS has not fetched it.
import { FormatError } from "../errors/mod.ts";

const beginning = new TextEncoder().encode("version https://git-lfs");

/** Whether bytes are a Git LFS pointer. */
export function isLfsPointer(bytes: Uint8Array): boolean {
  return bytes.length >= beginning.length && beginning.every((byte, i) => byte === bytes[i]);
}

/** Refuse a Git LFS pointer. @throws {FormatError} If the bytes are one. */
export function refuseLfsPointer(bytes: Uint8Array, name: string): void {
  if (!isLfsPointer(bytes)) return;
  throw new FormatError(
    `Cannot read ${name}: it is a Git LFS pointer, not the file itself: fetch it with "git lfs pull"`,
    { file: name, offset: 0 },
  );
}
