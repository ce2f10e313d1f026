// Reads a SentencePiece model (sentencepiece.bpe.model, spiece.model, tokenizer.model, spm.model) with a small protobuf
// reader; the field numbers are those of sentencepiece_model.proto.
import { FormatError } from "../../errors/mod.ts";
import { refuseLfsPointer } from "../../hub/lfs_pointer.ts";

/** The parts of a SentencePiece model that are used. */
export interface SentencePieceModel {
  /** Pieces with their scores and kinds (1 normal, 2 unknown, 3 control, 4 user defined, 5 unused, 6 byte). */
  readonly pieces: readonly { readonly text: string; readonly score: number; readonly kind: number }[];
  readonly characterMap: Uint8Array;
  /** The id of the unknown piece, from the options of its training. */
  readonly unkId: number;
}

/** Calls `visit` with each field of a protobuf message: a number for varints and 32 bits, bytes for strings and messages. */
function readFields(
  bytes: Uint8Array,
  fail: (what: string) => never,
  visit: (field: number, value: Uint8Array | number) => void,
): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = 0;
  const varint = (): number => {
    let value = 0;
    for (let factor = 1; at < bytes.length; factor *= 128) {
      const byte = bytes[at++];
      value += (byte & 127) * factor;
      if (byte < 128) return value;
      if (factor > 2 ** 63) fail("a number has more than ten bytes");
    }
    return fail("it ends within a number");
  };
  while (at < bytes.length) {
    const key = varint();
    const [field, wire] = [Math.floor(key / 8), key % 8];
    if (wire === 0) visit(field, varint());
    else if (wire === 2) {
      const length = varint();
      if (at + length > bytes.length) fail(`field ${field} has ${length} bytes, but ${bytes.length - at} are left`);
      visit(field, bytes.subarray(at, at += length));
    } else if (wire === 1 || wire === 5) {
      const length = wire === 5 ? 4 : 8;
      if (at + length > bytes.length) fail(`it ends within field ${field}`);
      visit(field, wire === 5 ? view.getFloat32(at, true) : view.getFloat64(at, true));
      at += length;
    } else fail(`field ${field} has wire type ${wire}, which does not exist`);
  }
}

/**
 * Read a SentencePiece model.
 *
 * @param bytes The file.
 * @param name What messages call it.
 * @throws {FormatError} If it is no such model.
 */
export function readSentencePiece(bytes: Uint8Array, name: string): SentencePieceModel {
  const fail = (what: string): never => {
    throw new FormatError(`Cannot read SentencePiece model ${name}: ${what}`, { file: name });
  };
  refuseLfsPointer(bytes, name);
  const utf8 = new TextDecoder("utf-8", { fatal: true });
  const pieces: SentencePieceModel["pieces"][number][] = [];
  let characterMap: Uint8Array = new Uint8Array();
  let unkId = 0;
  const message = (value: Uint8Array | number, visit: (field: number, value: Uint8Array | number) => void): void =>
    value instanceof Uint8Array ? readFields(value, fail, visit) : fail("a message is stored as a number");
  readFields(bytes, fail, (field, value) => {
    if (field === 1) {
      const piece = { text: "", score: 0, kind: 1 };
      message(value, (inner, part) => {
        try {
          if (inner === 1) piece.text = utf8.decode(part as Uint8Array);
        } catch {
          fail(`piece ${pieces.length} is not UTF-8`);
        }
        if (inner === 2) piece.score = part as number;
        if (inner === 3) piece.kind = part as number;
      });
      pieces.push(piece);
    } else if (field === 2) {
      message(value, (inner, part) => {
        if (inner === 40 && typeof part === "number") unkId = part;
      });
    } else if (field === 3) {
      message(value, (inner, part) => {
        if (inner === 2 && part instanceof Uint8Array) characterMap = part;
      });
    }
  });
  if (pieces.length < 3) fail(`it has ${pieces.length} pieces, and at least 3 were expected`);
  return { pieces, characterMap, unkId };
}
