// A TIFF's directories (TIFF 6.0, section 2, and BigTIFF): tags with a few numbers each; EXIF is such a directory too.
// Nothing is trusted: a tag whose values are outside of the file has none.

/** The bytes of a value of each type of whole numbers: short, long and long of 8 bytes, without and with a sign. */
const sizes: Readonly<Record<number, 2 | 4 | 8>> = { 3: 2, 8: 2, 4: 4, 9: 4, 13: 4, 16: 8, 18: 8 };

/** The most values that are read of a tag; a picture with one strip per row has fewer rows than this. */
const mostValues = 2 ** 24;

/** A TIFF file, or the part of another file that is one. */
export class TiffFile {
  readonly #view: DataView;
  /** Whether numbers begin with their low byte ("II"), not with the high one ("MM"). */
  readonly littleEndian: boolean;
  /** Whether offsets are numbers of 8 bytes (BigTIFF). */
  readonly big: boolean;

  private constructor(view: DataView, littleEndian: boolean, big: boolean) {
    this.#view = view;
    this.littleEndian = littleEndian;
    this.big = big;
  }

  /** Look at a file's first bytes. @returns Undefined if they are not those of a TIFF. */
  static open(bytes: Uint8Array): TiffFile | undefined {
    if (bytes.length < 8) return undefined;
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const order = view.getUint16(0);
    if (order !== 0x4949 && order !== 0x4d4d) return undefined;
    const littleEndian = order === 0x4949;
    const version = view.getUint16(2, littleEndian);
    if (version === 42) return new TiffFile(view, littleEndian, false);
    return version === 43 && bytes.length >= 16 ? new TiffFile(view, littleEndian, true) : undefined;
  }

  /** The file's length, in bytes. */
  get length(): number {
    return this.#view.byteLength;
  }

  /** The offset of the first directory. */
  get first(): number {
    return this.#place(this.big ? 8 : 4);
  }

  /** The directory at an offset; undefined if it does not begin in the file. */
  directory(offset: number): Directory | undefined {
    const [counted, entry] = this.big ? [8, 20] : [2, 12];
    if (offset + counted > this.#view.byteLength) return undefined;
    const count = this.big ? this.#place(offset) : this.#view.getUint16(offset, this.littleEndian);
    const end = offset + counted + count * entry;
    const tags = new Map<number, number>();
    for (let at = offset + counted; at < end && at + entry <= this.#view.byteLength; at += entry) {
      const tag = this.#view.getUint16(at, this.littleEndian);
      if (!tags.has(tag)) tags.set(tag, at);
    }
    const next = end + (this.big ? 8 : 4) <= this.#view.byteLength ? this.#place(end) : 0;
    return {
      offset,
      next,
      whole: end <= this.#view.byteLength,
      has: (tag) => tags.has(tag),
      entry: (tag) => tags.get(tag),
      values: (tag) => this.#values(tags.get(tag)),
      bytes: (tag) => this.#bytes(tags.get(tag)),
    };
  }

  #bytes(entry: number | undefined): Uint8Array | undefined {
    const value = this.#valueOf(entry, { 1: 1, 7: 1 });
    return value && new Uint8Array(this.#view.buffer, this.#view.byteOffset + value.at, value.count);
  }

  #values(entry: number | undefined): number[] | undefined {
    const value = this.#valueOf(entry, sizes);
    return value && Array.from({ length: value.count }, (_, i) => this.#number(value.at + i * value.size, value.size));
  }

  /** Where an entry's value is: in the entry itself if it fits. */
  #valueOf<Size extends number>(entry: number | undefined, types: Readonly<Record<number, Size>>) {
    if (entry === undefined) return undefined;
    const size = types[this.#view.getUint16(entry + 2, this.littleEndian)];
    const count = this.big ? this.#place(entry + 4) : this.#view.getUint32(entry + 4, this.littleEndian);
    if (!size || count > mostValues) return undefined;
    const place = entry + (this.big ? 12 : 8);
    const at = count * size <= (this.big ? 8 : 4) ? place : this.#place(place);
    return at + count * size <= this.#view.byteLength ? { at, count, size } : undefined;
  }

  #number(at: number, size: 2 | 4 | 8): number {
    if (size === 2) return this.#view.getUint16(at, this.littleEndian);
    return size === 4
      ? this.#view.getUint32(at, this.littleEndian)
      : Number(this.#view.getBigUint64(at, this.littleEndian));
  }

  #place(at: number): number {
    return this.#number(at, this.big ? 8 : 4);
  }
}

/** One directory: a page of a TIFF, or EXIF. */
export interface Directory {
  /** Its offset in the file. */
  readonly offset: number;
  /** The offset of the next one; 0 if there is none. */
  readonly next: number;
  /** Whether all of its entries lie in the file. */
  readonly whole: boolean;
  has(tag: number): boolean;
  /** The offset of a tag's entry; undefined if it is not there. */
  entry(tag: number): number | undefined;
  /** The whole numbers of a tag; undefined if it is not there, is of another type, or lies outside of the file. */
  values(tag: number): number[] | undefined;
  /** The bytes of a tag; undefined as with `values`. */
  bytes(tag: number): Uint8Array | undefined;
}
