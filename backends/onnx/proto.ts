// Protocol buffers, written: just what a ModelProto needs. See protobuf.dev/programming-guides/encoding.

const text = new TextEncoder();

/** A message under construction. */
export class Message {
  readonly #parts: Uint8Array[] = [];
  #length = 0;

  /** An integer field; negative numbers take ten bytes, as the format has it. */
  integer(field: number, value: number | bigint): this {
    return this.#tag(field, 0).#varint(BigInt.asUintN(64, BigInt(value)));
  }

  /** A float32 field. */
  float(field: number, value: number): this {
    return this.#tag(field, 5).#append(new Uint8Array(Float32Array.of(value).buffer));
  }

  /** A string, bytes, or another message. */
  bytes(field: number, value: string | Uint8Array | Message): this {
    const bytes = typeof value === "string" ? text.encode(value) : value instanceof Message ? value.finish() : value;
    return this.#tag(field, 2).#varint(BigInt(bytes.length)).#append(bytes);
  }

  /** The message's bytes. */
  finish(): Uint8Array<ArrayBuffer> {
    const whole = new Uint8Array(this.#length);
    let at = 0;
    for (const part of this.#parts) {
      whole.set(part, at);
      at += part.length;
    }
    return whole;
  }

  #tag(field: number, wireType: number): this {
    return this.#varint(BigInt(field << 3 | wireType));
  }

  #varint(value: bigint): this {
    const bytes: number[] = [];
    for (; value > 127n; value >>= 7n) bytes.push(Number(value & 127n) | 128);
    bytes.push(Number(value));
    return this.#append(Uint8Array.from(bytes));
  }

  #append(bytes: Uint8Array): this {
    this.#parts.push(bytes);
    this.#length += bytes.length;
    return this;
  }
}
