// The normalisers of a tokenizer.json, as in the Rust library: functions from text to text.
import { type Component, type Fail, lookUp } from "../files/definition.ts";
import { compatible, composed, controls, inRust, marks, nonspacing } from "./_unicode_tables.ts";
import { byteCharacters } from "./_byte_characters.ts";

/** Changes a text before it is cut into words. */
export type Normalize = (text: string) => string;

/**
 * Make a normaliser.
 *
 * @param part A tokenizer.json's `normalizer`.
 * @param fail Throws the error for a type that does not exist or a malformed setting.
 */
export async function makeNormalizer(part: Component, fail: Fail): Promise<Normalize> {
  return await lookUp(types, part, "normalizer", fail)(part, fail);
}

/** The characters that Rust's older Unicode leaves as they are in each normalisation form. */
const unchanged: Readonly<Record<string, string>> = {
  NFD: composed[0],
  NFKC: compatible[0],
  NFKD: composed[0] + compatible[0],
};

function unicode({ type }: Component): Normalize {
  if (!unchanged[type]) return (text) => text.normalize(type);
  const kept = new RegExp(`([${unchanged[type]}])`, "v");
  return (text) => text.split(kept).map((part, i) => i % 2 === 0 ? part.normalize(type) : part).join("");
}

const decompose = unicode({ type: "NFD" });
const nonspacingMarks = new RegExp(inRust("\\p{Mn}", nonspacing), "gv");
const allMarks = new RegExp(inRust("\\p{M}", marks), "gv");
const controlCharacters = new RegExp(`(?![\\t\\n\\r])${inRust("\\p{Cc}\\p{Cf}\\p{Co}\\ufffd", controls)}`, "gv");

const types: Readonly<Record<string, (part: Component, fail: Fail) => Normalize | Promise<Normalize>>> = {
  NFC: unicode,
  NFD: unicode,
  NFKC: unicode,
  NFKD: unicode,
  BertNormalizer: bert,
  ByteLevel: () => byteCharacters,
  Lowercase: ({ final_sigma }) => final_sigma ? (text) => text.toLowerCase() : lowercase,
  Nmt: () => nmt,
  Precompiled: async ({ precompiled_charsmap: map }, fail) => {
    if (!map) return (text) => text;
    const { characterMapNormalizer } = await import("./character_map.ts");
    return characterMapNormalizer(Uint8Array.from(atob(map as string), (c) => c.charCodeAt(0)), fail);
  },
  Prepend: ({ prepend }) => (text) => text === "" ? "" : `${prepend}${text}`,
  Replace: async (part, fail) => (await import("./_pattern.ts")).makeReplace(part, "normalizer", fail),
  Sequence: async ({ normalizers }, fail) => {
    const steps: Normalize[] = [];
    for (const step of normalizers as Component[]) steps.push(await makeNormalizer(step, fail));
    return (text) => steps.reduce((now, step) => step(now), text);
  },
  Strip: ({ strip_left, strip_right }) => (text) => {
    if (strip_left) text = text.replace(/^\p{White_Space}+/u, "");
    return strip_right ? text.replace(/(?<!\p{White_Space})\p{White_Space}+$/u, "") : text;
  },
  StripAccents: () => (text) => text.replace(allMarks, ""),
};

/** Rust lowercases each character by itself; JavaScript and Python consider a sigma's neighbours. */
function lowercase(text: string): string {
  return text.replaceAll("Σ", "σ").toLowerCase();
}

/** SentencePiece's NMT rules: most control characters are removed, and all kinds of white space become spaces. */
function nmt(text: string): string {
  const stays = (c: string): boolean => "\0\t\n\f\r".includes(c) || c >= "\x80" && c !== "\x8f" && c !== "\x9f";
  return text.replace(/\p{Cc}/gu, (c) => stays(c) ? c : "")
    .replace(/[\t\n\f\r\u1680\u200b-\u200f\u2028\u2029\u2581\ufeff\ufffd]/g, " ");
}

const ideographs =
  /[\u4e00-\u9fff\u3400-\u4dbf\u{20000}-\u{2a6df}\u{2a700}-\u{2b73f}\u{2b740}-\u{2b81f}\u{2b920}-\u{2ceaf}\uf900-\ufaff\u{2f800}-\u{2fa1f}]/gu;

function bert({ clean_text, handle_chinese_chars, strip_accents, lowercase: lower }: Component): Normalize {
  return (text) => {
    if (clean_text) text = text.replace(controlCharacters, "").replace(/\p{White_Space}/gu, " ");
    if (handle_chinese_chars) text = text.replace(ideographs, " $& ");
    if (strip_accents ?? lower) text = decompose(text).replace(nonspacingMarks, "");
    return lower ? lowercase(text) : text;
  };
}
