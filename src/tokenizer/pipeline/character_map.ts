// SentencePiece's precompiled character map as the Rust library applies it (crate spm_precompiled). Think of a dictionary
// from short texts to replacements, stored as a trie over UTF-8 bytes in one array (a double-array trie). Each grapheme of a
// text is looked up first; where there is none, each of its characters is.
import type { Fail } from "../files/definition.ts";

const encoder = new TextEncoder();

/**
 * Make a normaliser from a precompiled character map.
 *
 * @param charsmap The map: the trie's size in bytes (uint32), the trie (uint32 each), replacements ended by NUL.
 * @param fail Throws the error for a malformed map.
 * @returns A function from text to normalised text.
 */
export function characterMapNormalizer(charsmap: Uint8Array, fail: Fail): (text: string) => string {
  const bytes = charsmap.slice(); // so that the trie is aligned to 4 bytes
  const view = new DataView(bytes.buffer);
  const size = bytes.length >= 4 ? view.getUint32(0, true) : -1;
  if (size < 4 || size % 4 !== 0 || 4 + size > bytes.length) {
    fail(
      `its character map has ${bytes.length} bytes, and a trie of ${size} was expected`,
      "normalizer.precompiled_charsmap",
    );
  }
  const trie = new Uint32Array(bytes.buffer, 4, size / 4);
  const replacements = bytes.subarray(4 + size);
  const decoder = new TextDecoder();
  const known = new Map<string, string | undefined>();

  /** The replacement of the shortest prefix of `part` that has one. */
  const transform = (part: string): string | undefined => {
    if (known.has(part)) return known.get(part);
    const start = lookUp(trie, encoder.encode(part));
    const end = start < 0 ? -1 : replacements.indexOf(0, start);
    const result = start < 0
      ? undefined
      : decoder.decode(replacements.subarray(start, end < 0 ? replacements.length : end));
    if (known.size < 1 << 16) known.set(part, result);
    return result;
  };
  const characters = (text: string): string => {
    let result = "";
    for (const character of text) result += transform(character) ?? character;
    return result;
  };
  const segmenter = new Intl.Segmenter("en", { granularity: "grapheme" });
  const graphemes = (text: string): string => {
    let result = "";
    for (const { segment } of segmenter.segment(text)) {
      const short = segment.length < 6 && encoder.encode(segment).length < 6;
      result += (short ? transform(segment) : undefined) ?? characters(segment);
    }
    return result;
  };
  return (text) => {
    let result = "";
    for (let at = 0; at < text.length;) {
      // Between two printable ASCII characters there is always a boundary of graphemes, so these need no segmenter.
      let end = at;
      while (end < text.length && isPrintable(text, end)) end++;
      if (end < text.length) end = Math.max(at, end - 1);
      result += characters(text.slice(at, end));
      at = end;
      while (end < text.length && !(end > at && isPrintable(text, end) && isPrintable(text, end - 1))) end++;
      if (end > at) result += graphemes(text.slice(at, end));
      at = end;
    }
    return result;
  };
}

function isPrintable(text: string, at: number): boolean {
  const code = text.charCodeAt(at);
  return code >= 0x20 && code < 0x7f;
}

/** The value of the shortest prefix of `key` in a double-array trie (darts-clone's units), or -1. */
function lookUp(trie: Uint32Array, key: Uint8Array): number {
  const offset = (unit: number): number => (unit >>> 10) << ((unit & 0x200) >>> 6);
  let node = offset(trie[0]);
  for (const byte of key) {
    node ^= byte;
    const unit = trie[node];
    if (byte === 0 || unit === undefined || (unit & 0x800000ff) >>> 0 !== byte) return -1;
    node ^= offset(unit);
    if (unit >>> 8 & 1) return node < trie.length ? trie[node] & 0x7fffffff : -1;
  }
  return -1;
}
