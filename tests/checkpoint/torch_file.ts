// Builds PyTorch checkpoint files byte by byte, so that tests can make wrong ones: pickle opcodes, zip entries, legacy files.
import { crc32, deflateRawSync } from "node:zlib";

/** Bytes, or what becomes bytes: a string's characters are bytes (latin-1), lists are joined. */
export type Bytes = string | number | Uint8Array | Bytes[];

/** Join into one array. */
export function bytes(...parts: Bytes[]): Uint8Array<ArrayBuffer> {
  const flat = parts.flatMap((part): number[] => {
    if (typeof part === "string") return Array.from(part, (character) => character.charCodeAt(0));
    return typeof part === "number" ? [part] : Array.from(Array.isArray(part) ? bytes(...part) : part);
  });
  return Uint8Array.from(flat);
}

/** `value` in `width` bytes, little endian. */
export function little(value: number | bigint, width: number): Uint8Array {
  return Uint8Array.from({ length: width }, (_, i) => Number((BigInt(value) >> BigInt(8 * i)) & 255n));
}

/** Opcodes with their arguments. */
export const op = {
  global: (module: string, name: string): Bytes => `c${module}\n${name}\n`,
  string: (
    text: string,
  ): Bytes => ["X", little(new TextEncoder().encode(text).length, 4), new TextEncoder().encode(text)],
  int: (value: number): Bytes => value >= 0 && value < 256 ? ["K", value] : ["\x8a\x08", little(BigInt(value), 8)],
  tuple: (...items: Bytes[]): Bytes => ["(", items, "t"],
  dict: (...entries: [key: Bytes, value: Bytes][]): Bytes => ["}(", entries, "u"],
  /** What torch.save writes for a tensor, whatever is given for a part. */
  tensor(
    part: { type?: Bytes; key?: Bytes; size?: Bytes; view?: Bytes; offset?: Bytes; shape?: Bytes; strides?: Bytes },
  ): Bytes {
    const { type = op.global("torch", "FloatStorage"), key = op.string("0"), size = op.int(4), view = [] } = part;
    const { offset = op.int(0), shape = op.tuple(op.int(4)), strides = op.tuple(op.int(1)) } = part;
    const storage: Bytes = [op.tuple(op.string("storage"), type, key, op.string("cpu"), size, view), "Q"];
    const hooks: Bytes = [op.global("collections", "OrderedDict"), ")R"];
    return [
      op.global("torch._utils", "_rebuild_tensor_v2"),
      op.tuple(storage, offset, shape, strides, "\x89", hooks),
      "R",
    ];
  },
};

/** A pickle of protocol 2. */
export function pickle(...parts: Bytes[]): Uint8Array<ArrayBuffer> {
  return bytes("\x80\x02", ...parts, ".");
}

/** An entry of a zip file; the numbers override what would be right. */
export interface TestEntry {
  name: string;
  data: Uint8Array;
  deflate?: boolean;
  localName?: string;
  size?: number;
  packedSize?: number;
  crc?: number;
  flags?: number;
  method?: number;
  offset?: number;
  extra?: Uint8Array;
  /** Begin the data at a multiple of this, as torch.save does with 64, by a field of padding before it. */
  align?: number;
}

/** Fields of a zip file's end that override what would be right. */
export interface TestEnd {
  count?: number;
  size?: number;
  offset?: number;
  disk?: number;
  comment?: string;
}

/** A zip archive. */
export function zip(entries: TestEntry[], end: TestEnd = {}): Uint8Array<ArrayBuffer> {
  return concat(zipPieces(entries, end));
}

/** A zip archive in pieces, so that a large one need not be joined in memory. */
export function zipPieces(entries: TestEntry[], end: TestEnd = {}): Uint8Array[] {
  const body: Uint8Array[] = [], directory: Uint8Array[] = [];
  let at = 0;
  for (const entry of entries) {
    const packed = entry.deflate ? deflateRawSync(entry.data) : entry.data;
    const name = new TextEncoder().encode(entry.name), local = new TextEncoder().encode(entry.localName ?? entry.name);
    const method = little(entry.method ?? (entry.deflate ? 8 : 0), 2), extra = entry.extra ?? new Uint8Array();
    const facts = bytes(
      little(entry.crc ?? crc32(entry.data), 4),
      little(entry.packedSize ?? packed.length, 4),
      little(entry.size ?? entry.data.length, 4),
    );
    const flags = little(entry.flags ?? 0, 2);
    const { align = 1 } = entry, padding = align === 1 ? 0 : 4 + (2 * align - (at + 34 + local.length) % align) % align;
    const header = bytes(
      "PK\x03\x04",
      little(20, 2),
      flags,
      method,
      little(0, 4),
      facts,
      little(local.length, 2),
      little(padding, 2),
      local,
      padding === 0 ? "" : ["FB", little(padding - 4, 2), "Z".repeat(padding - 4)],
    );
    const lengths = [little(name.length, 2), little(extra.length, 2), little(0, 10)];
    const offset = little(entry.offset ?? at, 4);
    directory.push(
      bytes("PK\x01\x02", little(20, 2), little(20, 2), flags, method, little(0, 4), facts, lengths),
      bytes(offset, name, extra),
    );
    body.push(header, packed);
    at += header.length + packed.length;
  }
  const size = directory.reduce((sum, { length }) => sum + length, 0);
  const count = little(end.count ?? entries.length, 2);
  const last = bytes(
    "PK\x05\x06",
    little(end.disk ?? 0, 4),
    count,
    count,
    little(end.size ?? size, 4),
    little(end.offset ?? at, 4),
    little(end.comment?.length ?? 0, 2),
    end.comment ?? "",
  );
  return [...body, ...directory, last];
}

/** A checkpoint in the zip form: a pickle of a value and storages by key. */
export function torchZip(
  value: Bytes,
  storages: Record<string, Uint8Array>,
  more: TestEntry[] = [],
): Uint8Array<ArrayBuffer> {
  return zip([
    { name: "archive/data.pkl", data: pickle(value) },
    ...Object.entries(storages).map(([key, data]) => ({ name: `archive/data/${key}`, data })),
    ...more,
  ]);
}

/** A checkpoint in the legacy form; storages are `[key, element count, bytes]`. */
export function torchLegacy(
  value: Bytes,
  storages: [key: string, count: number, data: Uint8Array][],
  head: { magic?: Bytes; version?: Bytes; system?: Bytes; keys?: Bytes } = {},
): Uint8Array<ArrayBuffer> {
  return concat(torchLegacyPieces(value, storages, head));
}

/** A checkpoint in the legacy form, in pieces. */
export function torchLegacyPieces(
  value: Bytes,
  storages: [key: string, count: number, data: Uint8Array][],
  head: { magic?: Bytes; version?: Bytes; system?: Bytes; keys?: Bytes } = {},
): Uint8Array[] {
  const magic = head.magic ?? ["\x8a\x0a", little(0x1950a86a20f9469cfc6cn, 10)];
  return [
    pickle(magic),
    pickle(head.version ?? op.int(1001)),
    pickle(head.system ?? op.dict([op.string("little_endian"), "\x88"])),
    pickle(value),
    pickle(head.keys ?? ["](", storages.map(([key]) => op.string(key)), "e"]),
    ...storages.flatMap(([, count, data]) => [little(count, 8), data]),
  ];
}

/** Join arrays. */
export function concat(arrays: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const joined = new Uint8Array(arrays.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const array of arrays) {
    joined.set(array, at);
    at += array.length;
  }
  return joined;
}
