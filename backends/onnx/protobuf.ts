// Writing protocol buffers: as much as a ModelProto needs. See protobuf.dev/programming-guides/encoding.

const text = new TextEncoder();

/** A message under construction. */
export class Message {
  #bytes = new Uint8Array(64);
  #length = 0;

  /** An integer field, up to 2^53; negative numbers take ten bytes, as the format has it. */
  integer(field: number, value: number): this {
    return this.#tag(field, 0).#varint(value);
  }

  /** A float32 field. */
  float(field: number, value: number): this {
    return this.#tag(field, 5).#append(new Uint8Array(Float32Array.of(value).buffer));
  }

  /** A string, bytes, or another message. */
  bytes(field: number, value: string | Uint8Array | Message): this {
    const bytes = typeof value === "string" ? text.encode(value) : value instanceof Message ? value.#written : value;
    return this.#tag(field, 2).#varint(bytes.length).#append(bytes);
  }

  /** Add another message's fields. */
  join(other: Message): this {
    return this.#append(other.#written);
  }

  /** The message's bytes. */
  finish(): Uint8Array<ArrayBuffer> {
    return this.#written.slice();
  }

  get #written(): Uint8Array<ArrayBuffer> {
    return this.#bytes.subarray(0, this.#length);
  }

  #tag(field: number, wireType: number): this {
    return this.#varint(field << 3 | wireType);
  }

  #varint(value: number): this {
    this.#reserve(10);
    if (value < 0) {
      // As a number of 64 bits, seven to a byte.
      let rest = BigInt.asUintN(64, BigInt(value));
      for (; rest > 127n; rest >>= 7n) this.#bytes[this.#length++] = Number(rest & 127n) | 128;
      value = Number(rest);
    }
    for (; value > 127; value = Math.floor(value / 128)) this.#bytes[this.#length++] = value % 128 | 128;
    this.#bytes[this.#length++] = value;
    return this;
  }

  #append(bytes: Uint8Array): this {
    this.#reserve(bytes.length);
    this.#bytes.set(bytes, this.#length);
    this.#length += bytes.length;
    return this;
  }

  #reserve(count: number): void {
    const needed = this.#length + count;
    if (needed <= this.#bytes.length) return;
    const larger = new Uint8Array(Math.max(needed, 2 * this.#bytes.length));
    larger.set(this.#written);
    this.#bytes = larger;
  }
}
