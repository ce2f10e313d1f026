// Where the engine's rules are not the Rust library's, these take their place, by replacing the one method concerned.
import {
  BertNormalizer,
  type Decoder,
  LowercaseNormalizer,
  MetaspaceDecoder,
  MetaspacePreTokenizer,
  type Normalizer,
  PrecompiledNormalizer,
  type PreTokenizer,
  PunctuationPreTokenizer,
  SequenceDecoder,
  SequenceNormalizer,
  SequencePreTokenizer,
  SplitPreTokenizer,
  type Tokenizer as Engine,
  WhitespacePreTokenizer,
  WhitespaceSplitPreTokenizer,
} from "@huggingface/tokenizers";
import type { AddedToken, Component, TokenizerDefinition } from "./definition.ts";
import { type SplitBehavior, splitText } from "./_split.ts";
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
  correctModel(engine.model);
  correctDecoder(engine.decoder, definition.decoder);
  keepToWholeWords(engine, definition);
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

const punctuation = /[\p{P}\u0021-\u002f\u003a-\u0040\u005b-\u0060\u007b-\u007e]/gu;

function correctPreTokenizer(part: PreTokenizer | null, config: Component | null): void {
  const behavior = (config?.behavior ?? "Isolated") as SplitBehavior;
  if (part instanceof SequencePreTokenizer) {
    const inner = (config?.pretokenizers ?? []) as Component[];
    part.tokenizers.forEach((tokenizer, i) => correctPreTokenizer(tokenizer, inner[i]));
  } else if (part instanceof WhitespaceSplitPreTokenizer) {
    // Rust's white space is Unicode's: with U+0085, without U+FEFF.
    part.pre_tokenize_text = (text) => text.match(/\P{White_Space}+/gu) ?? [];
  } else if (part instanceof WhitespacePreTokenizer) {
    // Rust's \w is Unicode's too.
    part.pre_tokenize_text = (text) =>
      text.match(
        /[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control}]+|[^\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control}\p{White_Space}]+/gu,
      ) ?? [];
  } else if (part instanceof SplitPreTokenizer) {
    const { pattern } = part;
    if (pattern) part.pre_tokenize_text = (text) => splitText(text, pattern, behavior, config?.invert === true);
  } else if (part instanceof PunctuationPreTokenizer) {
    part.pre_tokenize_text = (text) => splitText(text, punctuation, behavior);
  } else if (part instanceof MetaspacePreTokenizer && config?.split !== false) {
    const { replacement } = part;
    const replace = part.pre_tokenize_text.bind(part);
    part.pre_tokenize_text = (text, options) =>
      replace(text, options).flatMap((whole) => splitBefore(whole, replacement));
  }
}

/** Unknown tokens are fused within a word; the engine does it across words. */
function correctModel(model: Engine["model"]): void {
  if (!model?.fuse_unk) return;
  const encode = model._call.bind(model);
  model._call = (words) => words.flatMap((word) => encode([word]));
}

function correctDecoder(part: Decoder | null, config: Component | null): void {
  if (part instanceof SequenceDecoder) {
    const inner = (config?.decoders ?? []) as Component[];
    part.decoders.forEach((decoder, i) => correctDecoder(decoder, inner[i]));
  } else if (part instanceof MetaspaceDecoder) {
    // The first token's marks stand for the space that was put before the text, if one was.
    const first = config?.prepend_scheme === "never" ? " " : "";
    part.decode_chain = (tokens) => tokens.map((token, i) => token.replaceAll(part.replacement, i === 0 ? first : " "));
  }
}

const endsInWord = /[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control}]$/u;
const beginsWithWord = /^[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control}]/u;

/** Leave added tokens that must be single words in the text where they are parts of words, which the engine does not. */
function keepToWholeWords(engine: Engine, { added_tokens }: TokenizerDefinition): void {
  if (!added_tokens.some((token) => token.single_word)) return;
  const spellings = (content: string): string[] => [content, engine.normalizer ? engine.normalizer(content) : content];
  const contents = (tokens: readonly AddedToken[]) => new Set(tokens.flatMap((token) => spellings(token.content)));
  const [all, single] = [contents(added_tokens), contents(added_tokens.filter((token) => token.single_word))];
  const { splitter_unnormalized, splitter_normalized } = engine as unknown as Record<string, Splitter>;
  for (const splitter of [splitter_unnormalized, splitter_normalized]) {
    const split = splitter.split.bind(splitter);
    splitter.split = (text) => {
      const pieces = split(text);
      const result: string[] = [];
      let open = false; // whether the last piece is plain text that a rejected token may join
      pieces.forEach((piece, i) => {
        const within = endsInWord.test(pieces[i - 1] ?? "") || beginsWithWord.test(pieces[i + 1] ?? "");
        const rejected = single.has(piece) && within;
        const plain = rejected || !all.has(piece);
        if (plain && open) result.push(result.pop()! + piece);
        else result.push(piece);
        open = plain;
      });
      return result;
    };
  }
}

/** The engine's private cutting of a text by added tokens. */
interface Splitter {
  split(text: string): string[];
}

/**
 * Put components that the engine lacks in the words of those that it has.
 *
 * @param definition A tokenizer.json's content.
 * @returns The same for the engine.
 */
export function forEngine(definition: TokenizerDefinition): TokenizerDefinition {
  const visit = (part: Component | null): Component | null => {
    if (part?.type === "CharDelimiterSplit") {
      return { type: "Split", pattern: { String: part.delimiter }, behavior: "Removed", invert: false };
    }
    if (part?.type === "Nmt") return nmt;
    const key = part && ["normalizers", "pretokenizers"].find((name) => Array.isArray(part[name]));
    return part && key ? { ...part, [key]: (part[key] as Component[]).map(visit) } : part;
  };
  return { ...definition, normalizer: visit(definition.normalizer), pre_tokenizer: visit(definition.pre_tokenizer) };
}

/** SentencePiece's NMT rules: control characters go, all kinds of white space become spaces. */
const nmt: Component = {
  type: "Sequence",
  normalizers: [
    ["[\\x01-\\x08\\x0b\\x0e-\\x1f\\x7f\\x8f\\x9f]", ""],
    ["[\\t\\n\\x0c\\r\\x{1680}\\x{200b}-\\x{200f}\\x{2028}\\x{2029}\\x{2581}\\x{feff}\\x{fffd}]", " "],
  ].map(([Regex, content]) => ({ type: "Replace", pattern: { Regex }, content })),
};

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
