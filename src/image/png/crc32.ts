// The checksum of PNG chunks (PNG specification, annex D), four bytes at a time.

const tables: readonly Uint32Array[] = (() => {
  const first = Uint32Array.from({ length: 256 }, (_, byte) => {
    let value = byte;
    for (let bit = 0; bit < 8; bit++) value = value & 1 ? 0xedb88320 ^ (value >>> 1) : value >>> 1;
    return value;
  });
  const all = [first];
  while (all.length < 4) all.push(all[all.length - 1].map((value) => first[value & 255] ^ (value >>> 8)));
  return all;
})();

/** The CRC-32 of some bytes, as an unsigned number. */
export function crc32(bytes: Uint8Array): number {
  const [t0, t1, t2, t3] = tables;
  let crc = -1;
  let at = 0;
  for (const whole = bytes.length - bytes.length % 4; at < whole; at += 4) {
    crc ^= bytes[at] | bytes[at + 1] << 8 | bytes[at + 2] << 16 | bytes[at + 3] << 24;
    crc = t3[crc & 255] ^ t2[crc >>> 8 & 255] ^ t1[crc >>> 16 & 255] ^ t0[crc >>> 24];
  }
  for (; at < bytes.length; at++) crc = t0[(crc ^ bytes[at]) & 255] ^ (crc >>> 8);
  return ~crc >>> 0;
}
