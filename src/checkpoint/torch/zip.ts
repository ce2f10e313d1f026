// Reading a zip archive's directory, with ZIP64: where each entry lies, and its bytes if they are stored or deflated.
// Format: PKWARE's APPNOTE.TXT, sections 4.3 and 4.4.
import { WorkerPool } from "../../async/worker_pool.ts";
import { FormatError, LimnerError } from "../../errors/mod.ts";
import type { ByteSource } from "../../hub/byte_source.ts";
import { type CompressedEntry, crcFault, inflate, type Inflated } from "./inflate.ts";
import { maxDirectoryBytes, maxEntries, maxExpandedBytes, maxNameBytes } from "../limits.ts";

/** A file in an archive. */
export interface ZipEntry {
  readonly name: string;
  /** Its length once inflated, in bytes. */
  readonly size: number;
  readonly compressedSize: number;
  readonly deflated: boolean;
  /** The CRC-32 of its bytes; PyTorch writes 0 where it was asked not to compute it. */
  readonly crc: number;
  readonly headerOffset: number;
}

const stored = 0, deflated = 8;

/** Entries of at least this many bytes are worth starting a worker for, so that several are inflated at a time. */
const worthStarting = 8 << 20;

/** A zip archive whose directory has been read and checked. */
export class ZipArchive {
  readonly #workers = new WorkerPool<CompressedEntry, Inflated, Inflated>({
    script: new URL("./inflate_worker.ts", import.meta.url),
    transfer: ({ bytes }) => [bytes.buffer],
    receive: (_task, inflated) => inflated,
    here: inflate,
    lost: (_task, why) => new LimnerError(`Cannot read ${this.source.name}: ${why}`),
  });

  private constructor(
    readonly source: ByteSource,
    readonly entries: ReadonlyMap<string, ZipEntry>,
    readonly directoryOffset: number,
  ) {}

  /**
   * Read an archive's directory.
   *
   * @throws {FormatError} If it is malformed, has an entry twice, or its entries would inflate to far more than the file.
   */
  static async open(source: ByteSource): Promise<ZipArchive> {
    const { offset, size, count } = await findDirectory(source);
    const bytes = await source.read(offset, size);
    const entries = new Map<string, ZipEntry>();
    let at = 0, inflated = 0;
    for (let i = 0; i < count; i++) {
      const { entry, next } = readEntry(source, bytes, at, offset);
      if (entries.has(entry.name)) fail(source, `it has ${JSON.stringify(entry.name)} twice`, offset + at);
      entries.set(entry.name, entry);
      if (entry.deflated) inflated += entry.size;
      at = next;
    }
    if (at !== size) fail(source, `its directory has ${size} bytes, but its entries end after ${at}`, offset + at);
    if (inflated > maxExpandedBytes(source.size)) {
      fail(source, `its entries would inflate to ${inflated} bytes, too many for a file of ${source.size}`, offset);
    }
    return new ZipArchive(source, entries, offset);
  }

  /**
   * Where an entry's bytes lie in the file.
   *
   * @throws {FormatError} If the entry's own header disagrees with the directory, or the bytes reach beyond the file.
   */
  async dataOffset(entry: ZipEntry): Promise<number> {
    const { source } = this;
    const name = new TextEncoder().encode(entry.name);
    const length = 30 + name.length;
    if (entry.headerOffset + length > this.directoryOffset) fail(source, beyond(entry), entry.headerOffset);
    const header = await source.read(entry.headerOffset, length);
    const view = new DataView(header.buffer);
    const same = view.getUint32(0, true) === 0x04034b50 && view.getUint16(26, true) === name.length &&
      name.every((byte, i) => header[30 + i] === byte);
    if (!same) {
      fail(source, `the header of ${JSON.stringify(entry.name)} is not where the directory says`, entry.headerOffset);
    }
    const offset = entry.headerOffset + length + view.getUint16(28, true);
    if (offset + entry.compressedSize > this.directoryOffset) fail(source, beyond(entry), offset);
    return offset;
  }

  /**
   * Read an entry as a whole. Large ones that are deflated are inflated in workers, several at a time.
   *
   * @throws {FormatError} If its bytes cannot be inflated, or their length or CRC-32 is not what the directory says.
   */
  async read(entry: ZipEntry): Promise<Uint8Array<ArrayBuffer>> {
    const offset = await this.dataOffset(entry);
    const bytes = await this.source.read(offset, entry.compressedSize);
    if (!entry.deflated) {
      this.check(entry, bytes, offset);
      return bytes;
    }
    const { size, crc } = entry;
    const inflated = await this.#workers.run({ bytes, size, crc }, { another: size >= worthStarting });
    if ("bytes" in inflated) return inflated.bytes;
    fail(this.source, `${JSON.stringify(entry.name)} ${inflated.fault}`, offset);
  }

  /** Check the CRC-32 of an entry's bytes, if the archive has one. */
  check(entry: ZipEntry, bytes: Uint8Array, offset: number): void {
    const fault = crcFault(bytes, entry.crc);
    if (fault) fail(this.source, `${JSON.stringify(entry.name)} ${fault}`, offset);
  }
}

function beyond(entry: ZipEntry): string {
  return `${JSON.stringify(entry.name)} reaches into the directory`;
}

/** Find the central directory by the record at the file's end. */
async function findDirectory(source: ByteSource): Promise<{ offset: number; size: number; count: number }> {
  const tailLength = Math.min(source.size, 22 + 0xffff);
  const tailOffset = source.size - tailLength;
  const tail = await source.read(tailOffset, tailLength);
  const view = new DataView(tail.buffer);
  let at = tailLength - 22;
  // The record ends with a comment, and the comment ends the file.
  while (
    at >= 0 && !(view.getUint32(at, true) === 0x06054b50 && at + 22 + view.getUint16(at + 20, true) === tailLength)
  ) {
    at--;
  }
  if (at < 0) fail(source, "it is cut off: a zip file ends with its directory, but there is none", tailOffset);
  const end = tailOffset + at;
  const locator = at >= 20 && view.getUint32(at - 20, true) === 0x07064b50;
  if (!locator) {
    if (view.getUint32(at + 4, true) !== 0) fail(source, "it is one of several volumes", end);
    const count = view.getUint16(at + 10, true);
    return checkDirectory(source, end, view.getUint32(at + 16, true), view.getUint32(at + 12, true), count);
  }
  const record = Number(view.getBigUint64(at - 12, true));
  if (record + 56 > end - 20) fail(source, "its ZIP64 record is not before its end", end - 20);
  const zip64 = new DataView((await source.read(record, 56)).buffer);
  if (zip64.getUint32(0, true) !== 0x06064b50 || zip64.getUint32(16, true) !== 0 || zip64.getUint32(20, true) !== 0) {
    fail(source, "its ZIP64 record is malformed", record);
  }
  const [count, size, offset] = [32, 40, 48].map((field) => Number(zip64.getBigUint64(field, true)));
  return checkDirectory(source, record, offset, size, count);
}

function checkDirectory(
  source: ByteSource,
  end: number,
  offset: number,
  size: number,
  count: number,
): { offset: number; size: number; count: number } {
  if (count > maxEntries) fail(source, `it has ${count} entries, at most ${maxEntries} are allowed`, end);
  if (size > maxDirectoryBytes) {
    fail(source, `its directory has ${size} bytes, at most ${maxDirectoryBytes} are allowed`, end);
  }
  if (offset + size > end) {
    fail(source, `its directory is said to be at ${offset} with ${size} bytes, beyond its end`, end);
  }
  return { offset, size, count };
}

/** Read the directory's entry at `at` of `bytes`, which lie at `base` of the file. */
function readEntry(
  source: ByteSource,
  bytes: Uint8Array<ArrayBuffer>,
  at: number,
  base: number,
): { entry: ZipEntry; next: number } {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const cut = "its directory is cut off or malformed";
  if (at + 46 > bytes.length || view.getUint32(at, true) !== 0x02014b50) fail(source, cut, base + at);
  const uint16 = (offset: number) => view.getUint16(at + offset, true);
  const uint32 = (offset: number) => view.getUint32(at + offset, true);
  const nameEnd = at + 46 + uint16(28), extraEnd = nameEnd + uint16(30), next = extraEnd + uint16(32);
  if (next > bytes.length || uint16(28) > maxNameBytes) fail(source, cut, base + at);
  const name = decodeName(source, bytes.subarray(at + 46, nameEnd), base + at);
  const [size, compressedSize, headerOffset] = widen(
    [uint32(24), uint32(20), uint32(42)],
    new DataView(bytes.buffer, bytes.byteOffset + nameEnd, extraEnd - nameEnd),
  );
  const method = uint16(10);
  if (method !== stored && method !== deflated) {
    fail(source, `${JSON.stringify(name)} is packed by method ${method}`, base + at);
  }
  if (uint16(8) & 1) fail(source, `${JSON.stringify(name)} is encrypted`, base + at);
  if (method === stored && size !== compressedSize) fail(source, `${JSON.stringify(name)} has two sizes`, base + at);
  if (!(headerOffset + 30 + compressedSize <= base)) {
    fail(source, `${JSON.stringify(name)} reaches into the directory`, base + at);
  }
  return { entry: { name, size, compressedSize, deflated: method === deflated, crc: uint32(16), headerOffset }, next };
}

/** Take the values that are too large for 32 bits (all ones there) from the ZIP64 extra field, in its fixed order. */
function widen(values: readonly number[], extra: DataView): number[] {
  let field = -1, end = -1;
  for (let at = 0; at + 4 <= extra.byteLength; at += 4 + extra.getUint16(at + 2, true)) {
    if (extra.getUint16(at, true) !== 1) continue;
    field = at + 4;
    end = Math.min(extra.byteLength, field + extra.getUint16(at + 2, true));
    break;
  }
  return values.map((value) => {
    if (value !== 0xffffffff || field < 0) return value;
    if (field + 8 > end) return NaN;
    field += 8;
    return Number(extra.getBigUint64(field - 8, true));
  });
}

function decodeName(source: ByteSource, bytes: Uint8Array, offset: number): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    fail(source, "the name of an entry is not UTF-8", offset);
  }
}

function fail(source: ByteSource, reason: string, offset: number): never {
  throw new FormatError(`Cannot read ${source.name}: as a zip file, at byte ${offset}, ${reason}`, {
    file: source.name,
    offset,
  });
}
