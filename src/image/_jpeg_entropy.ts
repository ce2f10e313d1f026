// The Huffman-coded bits of a sequential JPEG scan (ITU-T T.81, annexes C and F.2), in WebAssembly. Most coefficients are
// found, value and all, by one look at the next ten bits.
import type { WasmFunction } from "./_assemble.ts";

const lookBits = 10;

/** Bytes of a Huffman table as `huffmanTable` makes it. */
export const tableBytes: number = 4 * (1 << lookBits) + 4 * (1 << 16);

/**
 * Make the table that the kernel looks into from a DHT segment's lists: by the next ten bits value << 16 | zeros before
 * it << 8 | bits taken, where both code and value fit in, else 0; then by the next sixteen bits zeros << 16 | the
 * value's bits << 8 | the code's, or 0 where they are no code. The end of a block is 64 zeros.
 *
 * @param counts How many codes there are of each length, 1 to 16 bits.
 * @param symbols What the codes stand for, in order.
 * @param dc Whether the symbols are only sizes of values.
 * @returns The table, or undefined if the lists make none.
 */
export function huffmanTable(counts: Uint8Array, symbols: Uint8Array, dc: boolean): Int32Array | undefined {
  const table = new Int32Array(tableBytes / 4);
  const [fast, all] = [table.subarray(0, 1 << lookBits), table.subarray(1 << lookBits)];
  let code = 0, index = 0; // the code is aligned to sixteen bits
  for (let length = 1; length <= 16; length++) {
    for (let n = counts[length - 1]; n > 0; n--, index++) {
      const [zeros, size] = dc ? [0, symbols[index]] : [symbols[index] >> 4, symbols[index] & 15];
      const next = code + (1 << (16 - length));
      if (next >= 1 << 16 || size > 15) return undefined; // no code has only ones
      all.fill((dc || size > 0 || zeros === 15 ? zeros : 64) << 16 | size << 8 | length, code, next);
      code = next;
    }
  }
  for (let bits = 0; bits < fast.length; bits++) {
    const entry = all[bits << (16 - lookBits)];
    const [zeros, size, length] = [entry >> 16, entry >> 8 & 255, entry & 255];
    if (entry === 0 || length + size > lookBits) continue;
    const raw = bits >> (lookBits - length - size) & ((1 << size) - 1);
    const value = size > 0 && raw < 1 << (size - 1) ? raw - (1 << size) + 1 : raw;
    fast[bits] = value << 16 | zeros << 8 | (length + size);
  }
  return table;
}

/** From a coefficient's place in zigzag order to its place in a block; the last stands for all beyond. */
export const naturalOrder: Uint8Array = (() => {
  const order = new Uint8Array(128).fill(63);
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

const get = (...names: string[]): string => names.map((name) => `local.get $${name}`).join(" ");
const set = (name: string, value: string): string => `${value} local.set $${name}`;
const drop = (bits: string): string =>
  `${set("word", `${get("word", bits)} i64.extend_i32_u i64.shl`)} ${set("valid", `${get("valid", bits)} i32.sub`)}`;

/** Read a symbol and the value behind it by the tables at `$table`: leaves value << 16 | zeros << 8 in `$entry`. */
const symbol = `
  ${get("valid")} i32.const 32 i32.lt_u
  if
    ${get("word", "next")} v128.load64_zero 0 local.tee $bytes ${get("bytes")}
    i8x16.shuffle 7 6 5 4 3 2 1 0 0 0 0 0 0 0 0 0 i64x2.extract_lane 0
    ${get("valid")} i64.extend_i32_u i64.shr_u i64.or local.set $word
    ${set("next", `${get("next")} i32.const 63 ${get("valid")} i32.sub i32.const 3 i32.shr_u i32.add`)}
    ${set("valid", `${get("valid")} i32.const 56 i32.or`)}
  end
  ${get("table", "word")} i64.const ${64 - lookBits} i64.shr_u i32.wrap_i64 i32.const 2 i32.shl i32.add i32.load 0
  local.tee $entry i32.eqz
  if
    ${get("table", "word")} i64.const 48 i64.shr_u i32.wrap_i64 i32.const 2 i32.shl i32.add
    i32.load ${4 << lookBits} local.tee $entry i32.eqz
    if
      i32.const 1 return
    end
    ${set("bits", `${get("entry")} i32.const 255 i32.and`)} ${drop("bits")}
    ${set("bits", `${get("entry")} i32.const 8 i32.shr_u i32.const 255 i32.and`)}
    ${get("word")} i64.const 1 i64.shr_u i32.const 63 ${get("bits")} i32.sub i64.extend_i32_u i64.shr_u i32.wrap_i64
    local.tee $value i32.const 1 ${get("bits")} i32.const 1 i32.sub i32.shl i32.lt_s
    if
      ${set("value", `${get("value")} i32.const -1 ${get("bits")} i32.shl i32.add i32.const 1 i32.add`)}
    end
    ${get("value")} i32.const 16 i32.shl ${get("entry")} i32.const 8 i32.shr_u i32.const 0xff00 i32.and i32.or
    ${get("bits")} i32.or local.set $entry
  end
  ${set("bits", `${get("entry")} i32.const 255 i32.and`)} ${drop("bits")}`;

/** Where a reader of bits stands, at `state`: the next byte, the bits it holds, how many they are. */
export const readerBytes = 16;

/** What is known of each block of an MCU, in 32 bits each: see `decodeBlocks`. */
export const blockFields = 5;

/**
 * Decode MCUs. Each block of an MCU has five fields at `blocks`: where its coefficients go (int16, natural order, all
 * zero), how far the same block of the next MCU is, its DC and AC tables, and where its component's last DC value is.
 * Returns 1 where bits are no code.
 */
export const decodeBlocks: WasmFunction = {
  name: "decodeBlocks",
  parameters: ["blocks", "end", "count", "state", "order"],
  integers: ["next", "valid", "block", "target", "table", "entry", "bits", "value", "k"],
  longs: ["word"],
  vectors: ["bytes"],
  returns: true,
  body: `
    ${set("next", `${get("state")} i32.load 0`)} ${set("valid", `${get("state")} i32.load 4`)}
    ${set("word", `${get("state")} i64.load 8`)}
    loop
      ${set("block", get("blocks"))}
      loop
        ${get("block", "block")} i32.load 0 local.tee $target ${get("block")} i32.load 4 i32.add i32.store 0
        ${set("table", `${get("block")} i32.load 8`)}
        ${symbol}
        ${get("target", "block")} i32.load 16 local.tee $k
        ${get("k")} i32.load 0 ${get("entry")} i32.const 16 i32.shr_s i32.add local.tee $value i32.store 0
        ${get("value")} i32.store16 0
        ${set("table", `${get("block")} i32.load 12`)}
        ${set("k", "i32.const 1")}
        loop
          ${symbol}
          ${get("target", "order", "k", "entry")} i32.const 8 i32.shr_u i32.const 255 i32.and i32.add local.tee $k
          i32.add i32.load8_u 0 i32.const 1 i32.shl i32.add ${get("entry")} i32.const 16 i32.shr_u i32.store16 0
          ${get("k")} i32.const 1 i32.add local.tee $k i32.const 64 i32.lt_u br_if 0
        end
        ${get("block")} i32.const ${4 * blockFields} i32.add local.tee $block ${get("end")} i32.lt_u br_if 0
      end
      ${get("count")} i32.const 1 i32.sub local.tee $count br_if 0
    end
    ${get("state", "next")} i32.store 0 ${get("state", "valid")} i32.store 4 ${get("state", "word")} i64.store 8
    i32.const 0`,
};

/**
 * Copy coded bytes without the zeros after FF, up to a marker, which must come. Returns where the copy ends, and leaves
 * at `state` where the marker's second byte is.
 */
export const copyCoded: WasmFunction = {
  name: "copyCoded",
  parameters: ["source", "target", "state"],
  integers: ["plain"],
  vectors: ["bytes"],
  returns: true,
  body: `
    loop
      ${get("target", "source")} v128.load 0 local.tee $bytes v128.store 0
      ${get("bytes")} i32.const 255 i8x16.splat i8x16.eq i8x16.bitmask i32.const 65536 i32.or i32.ctz
      local.tee $plain ${get("source")} i32.add local.set $source
      ${set("target", `${get("target", "plain")} i32.add`)}
      ${get("plain")} i32.const 16 i32.lt_u
      if
        ${get("source")} i32.load8_u 1
        if
          ${get("state", "source")} i32.const 1 i32.add i32.store 0
          ${get("target")} return
        end
        ${set("target", `${get("target")} i32.const 1 i32.add`)}
        ${set("source", `${get("source")} i32.const 2 i32.add`)}
      end
      i32.const 1 br_if 0
    end
    i32.const 0`,
};
