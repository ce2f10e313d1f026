// Response bodies copied into buffers of their own: a received chunk is a view of a buffer of 64 KiB, and keeping thousands
// of small ones would keep all those buffers.

/** The bytes of the first piece and of the largest; each piece is twice as long as the previous one. */
const firstPiece = 64 << 10, largestPiece = 4 << 20;

/**
 * Collect a body.
 *
 * @param chunks The body's chunks.
 * @param limit The most bytes it may have.
 * @param tooLong Makes the error for a body that has more.
 * @param onBytes Called with the number of bytes that have arrived.
 * @returns The body in pieces, which take little more memory than it has bytes.
 */
export async function collectPieces(
  chunks: AsyncIterable<Uint8Array>,
  limit: number,
  tooLong: () => Error,
  onBytes?: (bytes: number) => void,
): Promise<Uint8Array<ArrayBuffer>[]> {
  const pieces: Uint8Array<ArrayBuffer>[] = [];
  let piece = new Uint8Array(firstPiece);
  let used = 0, bytes = 0;
  for await (let chunk of chunks) {
    bytes += chunk.length;
    if (bytes > limit) throw tooLong();
    while (chunk.length > 0) {
      if (used === piece.length) {
        pieces.push(piece);
        piece = new Uint8Array(Math.min(largestPiece, 2 * piece.length));
        used = 0;
      }
      const part = chunk.subarray(0, piece.length - used);
      piece.set(part, used);
      used += part.length;
      chunk = chunk.subarray(part.length);
    }
    onBytes?.(bytes);
  }
  pieces.push(piece.slice(0, used));
  return pieces;
}

/** Pieces as one array; the list is emptied on the way, so that they need not be held twice. */
export function joinPieces(pieces: Uint8Array[]): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(pieces.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  pieces.reverse();
  for (let piece = pieces.pop(); piece; piece = pieces.pop()) {
    bytes.set(piece, at);
    at += piece.length;
  }
  return bytes;
}
