// Where the engine's rules are not the Rust library's, these take their place, by replacing the one method concerned.
import {
  BertNormalizer,
  LowercaseNormalizer,
  MetaspacePreTokenizer,
  type Normalizer,
  PrecompiledNormalizer,
  type PreTokenizer,
  SequenceNormalizer,
  SequencePreTokenizer,
  type Tokenizer as Engine,
  WhitespaceSplitPreTokenizer,
} from "@huggingface/tokenizers";
import type { Component, TokenizerDefinition } from "./definition.ts";
import { precompiled } from "./precompiled.ts";

/**
 * Make an engine follow the Rust library.
 *
 * @param engine The engine, made from `definition`.
 * @param definition A tokenizer.json's content.
 * @param name What messages call it.
 * @throws {FormatError} If a character map is malformed.
 */
export function followRustRules(engine: Engine, definition: TokenizerDefinition, name: string): void {
  correctNormalizer(engine.normalizer, name);
  correctPreTokenizer(engine.pre_tokenizer, definition.pre_tokenizer);
}

function correctNormalizer(part: Normalizer | null, name: string): void {
  if (part instanceof SequenceNormalizer) part.normalizers.forEach((inner) => correctNormalizer(inner, name));
  else if (part instanceof PrecompiledNormalizer) {
    // The engine puts NFKC and a few rules in the map's place.
    const map = (part.config as { precompiled_charsmap?: string | null }).precompiled_charsmap;
    part.normalize = map
      ? precompiled(Uint8Array.from(atob(map), (character) => character.charCodeAt(0)), name)
      : (text) => text;
  } else if (part instanceof BertNormalizer) {
    part.normalize = bertNormalizer(part.config as BertRules);
  } else if (part instanceof LowercaseNormalizer) {
    part.normalize = (text) => withoutFinalSigma(text).toLowerCase();
  }
}

/** Rust lowers each character by itself; JavaScript looks at a sigma's neighbours. */
function withoutFinalSigma(text: string): string {
  return text.replaceAll("Σ", "σ");
}

interface BertRules {
  readonly clean_text?: boolean;
  readonly handle_chinese_chars?: boolean;
  readonly strip_accents?: boolean | null;
  readonly lowercase?: boolean;
}

const ideographs =
  /[\u4e00-\u9fff\u3400-\u4dbf\u{20000}-\u{2a6df}\u{2a700}-\u{2b73f}\u{2b740}-\u{2b81f}\u{2b820}-\u{2ceaf}\uf900-\ufaff\u{2f800}-\u{2fa1f}]/gu;

/** BERT's normaliser, for which the engine knows no ideographs beyond the basic plane and goes character by character. */
function bertNormalizer(rules: BertRules): (text: string) => string {
  const strip = rules.strip_accents ?? rules.lowercase;
  return (text) => {
    if (rules.clean_text) {
      text = text.replace(/(?![\t\n\r])[\p{Cc}\p{Cf}\p{Co}\ufffd]/gu, "").replace(/\p{White_Space}/gu, " ");
    }
    if (rules.handle_chinese_chars) text = text.replace(ideographs, " $& ");
    if (strip) text = text.normalize("NFD").replace(/\p{Mn}/gu, "");
    return rules.lowercase ? withoutFinalSigma(text).toLowerCase() : text;
  };
}

function correctPreTokenizer(part: PreTokenizer | null, config: Component | null): void {
  if (part instanceof SequencePreTokenizer) {
    const inner = (config?.pretokenizers ?? []) as Component[];
    part.tokenizers.forEach((tokenizer, i) => correctPreTokenizer(tokenizer, inner[i]));
  } else if (part instanceof WhitespaceSplitPreTokenizer) {
    // Rust's white space is Unicode's: with U+0085, without U+FEFF.
    part.pre_tokenize_text = (text) => text.match(/\P{White_Space}+/gu) ?? [];
  } else if (part instanceof MetaspacePreTokenizer && config?.split !== false) {
    const { replacement } = part;
    const replace = part.pre_tokenize_text.bind(part);
    part.pre_tokenize_text = (text, options) =>
      replace(text, options).flatMap((whole) => splitBefore(whole, replacement));
  }
}

/** Cut a text before each `mark`. */
function splitBefore(text: string, mark: string): string[] {
  const pieces: string[] = [];
  let start = 0;
  for (let at = text.indexOf(mark, 1); at >= 0; at = text.indexOf(mark, at + 1)) {
    pieces.push(text.slice(start, at));
    start = at;
  }
  pieces.push(text.slice(start));
  return pieces;
}
