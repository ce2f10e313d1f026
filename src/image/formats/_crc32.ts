// CRC-32 (PNG specification, annex D; the one of zip), four bytes at a time: table k has the effect of a byte that k others
// follow. Node's zlib has one too, but browsers read pictures as well, and the command loads no module of Node's.

let tables: readonly Uint32Array[] | undefined;

function makeTables(): readonly Uint32Array[] {
  const first = new Uint32Array(256);
  for (let byte = 0; byte < 256; byte++) {
    let crc = byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? crc >>> 1 ^ 0xedb88320 : crc >>> 1;
    first[byte] = crc;
  }
  const all = [first];
  for (let k = 1; k < 4; k++) all.push(all[k - 1].map((crc) => crc >>> 8 ^ first[crc & 255]));
  return all;
}

/** The CRC-32 of bytes, without a sign. */
export function crc32(bytes: Uint8Array): number {
  const [t0, t1, t2, t3] = tables ??= makeTables();
  const whole = bytes.length & ~3;
  let crc = -1, at = 0;
  for (; at < whole; at += 4) {
    crc ^= bytes[at] | bytes[at + 1] << 8 | bytes[at + 2] << 16 | bytes[at + 3] << 24;
    crc = t3[crc & 255] ^ t2[crc >>> 8 & 255] ^ t1[crc >>> 16 & 255] ^ t0[crc >>> 24];
  }
  for (; at < bytes.length; at++) crc = crc >>> 8 ^ t0[(crc ^ bytes[at]) & 255];
  return ~crc >>> 0;
}
