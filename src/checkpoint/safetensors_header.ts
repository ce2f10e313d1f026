// The JSON header of a safetensors file: names to dtype, shape and offsets. Spelt as libraries spell it, it is read by one regular
// expression; otherwise by a scanner that accepts its one form only. Anything else is refused where it begins, so a hostile header
// never becomes a large or deep value, and a name that occurs twice is found (JSON.parse would drop the first).
import { FormatError } from "../errors/mod.ts";
import { maxNameBytes, maxRank, maxTensors } from "./limits.ts";

/** A tensor's entry in the header, as written. */
export interface HeaderEntry {
  /** The format's own name of the type, for example `BF16`. */
  readonly dtype: string;
  readonly shape: readonly number[];
  /** The first byte and the byte after the last, counted from the end of the header. */
  readonly begin: number;
  readonly end: number;
}

/** A parsed header. */
export interface Header {
  readonly tensors: Map<string, HeaderEntry>;
  readonly metadata: Map<string, string>;
}

const quote = 0x22, backslash = 0x5c, open = 0x7b, close = 0x7d, colon = 0x3a, comma = 0x2c, left = 0x5b, right = 0x5d;

/**
 * Parse a safetensors header.
 *
 * @param bytes The header, JSON in UTF-8, perhaps padded with spaces.
 * @param file What messages call the file.
 * @returns Its tensors and metadata; offsets are not yet checked against the file.
 * @throws {FormatError} If it is not exactly what the format allows.
 */
export function parseHeader(bytes: Uint8Array, file: string): Header {
  // A character for each byte: what is ASCII is a slice of it, which is far cheaper than to decode it alone.
  const characters = new TextDecoder("latin1").decode(bytes);
  return parseUsual(characters) ?? new HeaderScanner(bytes, characters, file).scan();
}

/** The entry of a tensor, or the metadata, as the format's own library writes them. */
const usualTensor =
  /[{,]"([ !#-\[\]-~]{1,256})":\{"dtype":"([A-Z0-9_]{1,16})","shape":\[((?:\d{1,15},){0,31}\d{1,15}|)\],"data_offsets":\[(\d{1,15}),(\d{1,15})\]\}/y;
const usualMetadata = /\{"__metadata__":\{"format":"([a-z]{1,16})"\}(?=,)/y;
const usualEnd = /\} *$/y;

/** Parse a header of the usual form, several times as fast as byte by byte; undefined where it has any other, be it right or wrong. */
function parseUsual(text: string): Header | undefined {
  const tensors = new Map<string, HeaderEntry>();
  usualMetadata.lastIndex = 0;
  const described = usualMetadata.exec(text);
  let at = described ? usualMetadata.lastIndex : 0;
  for (;;) {
    usualTensor.lastIndex = at;
    const found = usualTensor.exec(text);
    if (!found) break;
    const [, name, dtype, shape, begin, end] = found;
    // The first comes after the brace, or after the metadata.
    if ((at === 0) !== (text[at] === "{") || name === "__metadata__" || tensors.has(name)) return;
    if (tensors.size >= maxTensors || /(?:^|,)0\d/.test(`${shape},${begin},${end}`)) return;
    const lengths = shape === "" ? [] : shape.split(",").map(Number);
    tensors.set(name, { dtype, shape: lengths, begin: Number(begin), end: Number(end) });
    at = usualTensor.lastIndex;
  }
  usualEnd.lastIndex = at;
  if (tensors.size === 0 || !usualEnd.test(text)) return;
  return { tensors, metadata: new Map(described ? [["format", described[1]]] : []) };
}

class HeaderScanner {
  #at = 0;
  #tensor: string | undefined;
  readonly #decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

  /** @param characters A character for each byte. */
  constructor(readonly bytes: Uint8Array, readonly characters: string, readonly file: string) {}

  scan(): Header {
    const tensors = new Map<string, HeaderEntry>();
    const metadata = new Map<string, string>();
    let sawMetadata = false;
    this.#members((name, start) => {
      if (name === "__metadata__") {
        if (sawMetadata) this.#fail("__metadata__ comes twice", start);
        sawMetadata = true;
        this.#members((key, at) => {
          if (metadata.has(key)) this.#fail(`the metadata key ${JSON.stringify(key)} comes twice`, at);
          if (metadata.size >= maxTensors) this.#fail(`it has more than ${maxTensors} metadata keys`);
          metadata.set(key, this.#string(this.bytes.length));
        });
        return;
      }
      if (tensors.has(name)) this.#fail(`the tensor ${JSON.stringify(name)} comes twice`, start);
      if (tensors.size >= maxTensors) this.#fail(`it has more than ${maxTensors} tensors`);
      this.#tensor = name;
      tensors.set(name, this.#entry());
      this.#tensor = undefined;
    });
    this.#space();
    if (this.#at < this.bytes.length) this.#fail("something follows the closing brace, expected only spaces");
    return { tensors, metadata };
  }

  #entry(): HeaderEntry {
    let dtype: string | undefined, shape: number[] | undefined, offsets: number[] | undefined;
    const start = this.#at;
    this.#members((key, at) => {
      if (key === "dtype" && dtype === undefined) dtype = this.#string(maxNameBytes);
      else if (key === "shape" && !shape) shape = this.#numbers(maxRank);
      else if (key === "data_offsets" && !offsets) offsets = this.#numbers(2);
      else this.#fail(`the key ${JSON.stringify(key)} is unknown or comes twice`, at);
    });
    if (dtype === undefined) this.#fail("it has no dtype", start);
    if (!shape) this.#fail("it has no shape", start);
    if (offsets?.length !== 2) this.#fail("it has no two data_offsets", start);
    return { dtype, shape, begin: offsets[0], end: offsets[1] };
  }

  /** An object: `member` is called after each key's colon and must read the value. */
  #members(member: (key: string, start: number) => void): void {
    this.#expect(open, "{");
    if (this.#take(close)) return;
    do {
      this.#space();
      const start = this.#at;
      const key = this.#string(maxNameBytes);
      this.#expect(colon, ":");
      member(key, start);
    } while (this.#take(comma));
    this.#expect(close, "}");
  }

  #numbers(limit: number): number[] {
    const numbers: number[] = [];
    this.#expect(left, "[");
    if (this.#take(right)) return numbers;
    do {
      if (numbers.length >= limit) this.#fail(`it has more than ${limit} numbers in a list`);
      numbers.push(this.#whole());
    } while (this.#take(comma));
    this.#expect(right, "]");
    return numbers;
  }

  #whole(): number {
    this.#space();
    const start = this.#at;
    let value = 0;
    for (let digit = this.#digit(); digit >= 0; digit = this.#digit()) {
      value = value * 10 + digit;
      this.#at++;
      // Above 2^53 digits would be lost; no file is that long.
      if (value > Number.MAX_SAFE_INTEGER) this.#fail("a number is larger than any file", start);
    }
    const leadingZero = this.bytes[start] === 0x30 && this.#at > start + 1;
    const next = this.bytes[this.#at]; // a fraction or an exponent
    if (this.#at === start || leadingZero || next === 0x2e || next === 0x65 || next === 0x45) {
      this.#fail("there is no whole number of 0 or more", start);
    }
    return value;
  }

  #digit(): number {
    const digit = this.bytes[this.#at] - 0x30;
    return digit >= 0 && digit <= 9 ? digit : -1;
  }

  #string(limit: number): string {
    this.#expect(quote, '"');
    const start = this.#at - 1;
    let [escaped, ascii] = [false, true];
    for (; this.bytes[this.#at] !== quote; this.#at++) {
      if (this.#at >= this.bytes.length) this.#fail("a string does not end", start);
      if (this.#at - start > limit) this.#fail(`a string is longer than ${limit} bytes`, start);
      if (this.bytes[this.#at] < 0x20) this.#fail("a string holds a control character");
      if (this.bytes[this.#at] >= 0x80) ascii = false;
      if (this.bytes[this.#at] === backslash) {
        escaped = true;
        this.#at++;
      }
    }
    this.#at++;
    if (ascii && !escaped) return this.characters.slice(start + 1, this.#at - 1);
    try {
      if (!escaped) return this.#decoder.decode(this.bytes.subarray(start + 1, this.#at - 1));
      return JSON.parse(this.#decoder.decode(this.bytes.subarray(start, this.#at)));
    } catch {
      this.#fail("a string is not UTF-8, or has a wrong escape", start);
    }
  }

  #space(): void {
    let byte: number;
    while ((byte = this.bytes[this.#at]) === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09) this.#at++;
  }

  #take(byte: number): boolean {
    this.#space();
    if (this.bytes[this.#at] !== byte) return false;
    this.#at++;
    return true;
  }

  #expect(byte: number, name: string): void {
    if (!this.#take(byte)) this.#fail(`there is no ${name}`);
  }

  #fail(reason: string, at = this.#at): never {
    const offset = 8 + at; // the header follows its length
    const where = this.#tensor === undefined ? "" : `, tensor ${JSON.stringify(this.#tensor)}`;
    throw new FormatError(
      `Cannot read ${this.file}${where}: at byte ${offset} of the safetensors header, ${reason}`,
      { file: this.file, offset, tensor: this.#tensor },
    );
  }
}
