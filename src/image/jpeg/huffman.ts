// Huffman-coded bits of a JPEG scan (ITU-T T.81, annexes C and F.2): tables, and a reader over bytes without stuffing.
// Most AC coefficients are found, value and all, by one look at the next ten bits.

const lookBits = 10;

/** A Huffman table ready for decoding. */
export interface HuffmanTable {
  /** By the next ten bits: the code's length << 8 | its symbol; 0 where the code is longer. */
  readonly codes: Uint16Array;
  /** By the next ten bits: value << 16 | run of zeros << 8 | bits taken, where code and value fit in; else 0. */
  readonly values: Int32Array;
  /** By length: the first code after those of the length, aligned to 16 bits; codes from it on are longer. */
  readonly limits: Int32Array;
  /** By length: what a code of it is to be moved by to be an index of `symbols`. */
  readonly offsets: Int32Array;
  readonly symbols: Uint8Array;
}

/**
 * Build a table from a DHT segment's lists.
 *
 * @param counts How many codes there are of each length, 1 to 16 bits.
 * @param symbols What the codes stand for, in order.
 * @returns The table, or undefined if there are more codes than lengths allow.
 */
export function buildTable(counts: Uint8Array, symbols: Uint8Array): HuffmanTable | undefined {
  const codes = new Uint16Array(1 << lookBits);
  const values = new Int32Array(1 << lookBits);
  const limits = new Int32Array(18).fill(1 << 16);
  const offsets = new Int32Array(18);
  for (let length = 1, code = 0, index = 0; length <= 16; length++, code <<= 1) {
    offsets[length] = index - code;
    for (let n = counts[length - 1]; n > 0; n--, code++, index++) {
      if (length > lookBits) continue;
      const first = code << (lookBits - length);
      codes.fill(length << 8 | symbols[index], first, first + (1 << (lookBits - length)));
    }
    if (code > 1 << length) return undefined;
    limits[length] = code << (16 - length);
  }
  codes.forEach((entry, bits) => {
    const [length, size] = [entry >> 8, entry & 15];
    if (size === 0 || length + size > lookBits) return;
    const value = extend(bits >> (lookBits - length - size) & ((1 << size) - 1), size);
    values[bits] = value << 16 | (entry >> 4 & 15) << 8 | (length + size);
  });
  return { codes, values, limits, offsets, symbols };
}

/** The value that `size` bits stand for: the lower half of their range is negative. */
export function extend(bits: number, size: number): number {
  return bits < 1 << (size - 1) ? bits - (1 << size) + 1 : bits;
}

/** From a coefficient's place in zigzag order to its place in a block; the last stands for all beyond. */
export const naturalOrder: Uint8Array = (() => {
  const order = new Uint8Array(64 + 16).fill(63);
  for (let i = 0, x = 0, y = 0; i < 64; i++) {
    order[i] = y * 8 + x;
    const up = (x + y) % 2 === 0;
    if (up ? x === 7 : y !== 7 && x === 0) y++;
    else if (up ? y === 0 : y === 7) x++;
    else if (up) [x, y] = [x + 1, y - 1];
    else [x, y] = [x - 1, y + 1];
  }
  return order;
})();

/** Reads bits from bytes that have no stuffing, which must go on for four bytes beyond the last bit. */
export class BitReader {
  /** Bits read. */
  position = 0;
  readonly view: DataView;

  constructor(readonly bytes: Uint8Array) {
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** The next `size` bits as a number, 0 to 16 of them. */
  bits(size: number): number {
    if (size === 0) return 0;
    const word = this.view.getUint32(this.position >>> 3) << (this.position & 7);
    this.position += size;
    return word >>> (32 - size);
  }

  /** The next symbol, or -1 if the bits are no code of the table. */
  symbol(table: HuffmanTable): number {
    const word = this.view.getUint32(this.position >>> 3) << (this.position & 7);
    const entry = table.codes[word >>> (32 - lookBits)];
    if (entry !== 0) {
      this.position += entry >> 8;
      return entry & 255;
    }
    const code = word >>> 16;
    let length = lookBits + 1;
    while (length <= 16 && code >= table.limits[length]) length++;
    this.position += length;
    return length > 16 ? -1 : table.symbols[(code >>> (16 - length)) + table.offsets[length]];
  }

  /**
   * Read a block of a sequential scan.
   *
   * @param target Where its coefficients go, all zero.
   * @param at The block's first coefficient.
   * @param predictor The DC value of the block before.
   * @returns The block's DC value, or NaN if the bits are no code.
   */
  block(target: Int16Array, at: number, dc: HuffmanTable, ac: HuffmanTable, predictor: number): number {
    const size = this.symbol(dc);
    if (size < 0 || size > 15) return NaN;
    const value = size === 0 ? predictor : (predictor + extend(this.bits(size), size)) << 16 >> 16;
    target[at] = value;
    const { view } = this;
    const { values, codes } = ac;
    let position = this.position;
    for (let k = 1; k < 64; k++) {
      const word = view.getUint32(position >>> 3) << (position & 7);
      const known = values[word >>> (32 - lookBits)];
      if (known !== 0) {
        k += known >> 8 & 15;
        target[at + naturalOrder[k]] = known >> 16;
        position += known & 255;
        continue;
      }
      let symbol = codes[word >>> (32 - lookBits)];
      if (symbol !== 0) {
        position += symbol >> 8;
        symbol &= 255;
      } else {
        this.position = position;
        symbol = this.symbol(ac);
        if (symbol < 0) return NaN;
        position = this.position;
      }
      const bits = symbol & 15;
      if (bits === 0) {
        if (symbol !== 0xf0) break; // the rest is zero
        k += 15;
        continue;
      }
      k += symbol >> 4;
      const next = view.getUint32(position >>> 3) << (position & 7);
      position += bits;
      target[at + naturalOrder[k]] = extend(next >>> (32 - bits), bits);
    }
    this.position = position;
    return value;
  }
}
