// A position in the bytes of a pickle, from which the arguments of opcodes are read, each checked against what is left.
import { PickleFault, type PickleValue } from "./pickle_values.ts";

const maxLineBytes = 4096;
const maxIntegerBytes = 64;

/** A position in a pickle's bytes; every method reads there and advances, or throws a PickleFault. */
export class PickleCursor {
  readonly #view: DataView;
  readonly #text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

  /**
   * @param bytes The bytes that hold the pickle.
   * @param at The position of the next byte.
   */
  constructor(readonly bytes: Uint8Array, public at: number) {
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** Step over `count` bytes and return where they begin. */
  take(count: number): number {
    const at = this.at;
    if (count > this.bytes.length - at) {
      throw new PickleFault(`it ends too early: ${count} bytes should follow, ${this.bytes.length - at} do`);
    }
    this.at += count;
    return at;
  }

  byte(): number {
    return this.bytes[this.take(1)];
  }

  uint16(): number {
    return this.#view.getUint16(this.take(2), true);
  }

  uint32(): number {
    return this.#view.getUint32(this.take(4), true);
  }

  int32(): number {
    return this.#view.getInt32(this.take(4), true);
  }

  /** A float64, the only number that a pickle writes big-endian. */
  float64(): number {
    return this.#view.getFloat64(this.take(8), false);
  }

  /** A length of 8 bytes. */
  length8(): number {
    const length = this.#view.getBigUint64(this.take(8), true);
    if (length > BigInt(this.bytes.length)) throw new PickleFault(`it ends before the ${length} bytes it announces`);
    return Number(length);
  }

  /** A view of the next `length` bytes. */
  blob(length: number): Uint8Array {
    const at = this.take(length);
    return this.bytes.subarray(at, at + length);
  }

  /** The next `length` bytes as UTF-8. */
  string(length: number): string {
    const bytes = this.blob(length);
    try {
      return this.#text.decode(bytes);
    } catch {
      throw new PickleFault("a string is not UTF-8");
    }
  }

  /** A line of text, the form of arguments in protocol 0. */
  line(): string {
    const end = this.bytes.subarray(this.at, this.at + maxLineBytes).indexOf(0x0a);
    if (end < 0) throw new PickleFault("a line of text does not end");
    const line = this.string(end);
    this.at++;
    return line;
  }

  /** An integer as a line of digits; protocol 0 writes False and True as 00 and 01. */
  decimal(): PickleValue {
    const line = this.line();
    if (line === "00" || line === "01") return line === "01";
    if (!/^-?\d{1,40}L?$/.test(line)) throw new PickleFault("a number has other characters than digits");
    return fromBigInt(BigInt(line.replace("L", "")));
  }

  /** A two's complement little-endian integer of `length` bytes. */
  long(length: number): PickleValue {
    if (length > maxIntegerBytes) {
      throw new PickleFault(`an integer has ${length} bytes, at most ${maxIntegerBytes} are allowed`);
    }
    let value = 0n;
    for (const byte of this.blob(length).toReversed()) value = (value << 8n) | BigInt(byte);
    return fromBigInt(BigInt.asIntN(8 * length, value));
  }

  /** The plain value that an opcode stands for or is followed by; undefined if the opcode is of another kind. */
  literal(opcode: number): PickleValue | undefined {
    switch (String.fromCharCode(opcode)) {
      case "N": // NONE
        return null;
      case "\x88": // NEWTRUE
        return true;
      case "\x89": // NEWFALSE
        return false;
      case "K": // BININT1
        return this.byte();
      case "M": // BININT2
        return this.uint16();
      case "J": // BININT
        return this.int32();
      case "\x8a": // LONG1
        return this.long(this.byte());
      case "\x8b": // LONG4
        return this.long(this.uint32());
      case "I": // INT
      case "L": // LONG
        return this.decimal();
      case "G": // BINFLOAT
        return this.float64();
      case "F": // FLOAT
        return Number(this.line());
      case "X": // BINUNICODE
      case "T": // BINSTRING of Python 2
        return this.string(this.uint32());
      case "\x8c": // SHORT_BINUNICODE
      case "U": // SHORT_BINSTRING of Python 2
        return this.string(this.byte());
      case "\x8d": // BINUNICODE8
        return this.string(this.length8());
      case "V": // UNICODE
        return this.line();
      case "B": // BINBYTES
        return this.blob(this.uint32());
      case "C": // SHORT_BINBYTES
        return this.blob(this.byte());
      case "\x8e": // BINBYTES8
      case "\x96": // BYTEARRAY8
        return this.blob(this.length8());
    }
  }
}

function fromBigInt(value: bigint): number | bigint {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}
