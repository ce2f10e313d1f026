// The pre-tokenizers of a tokenizer.json, as in the Rust library: functions that cut a text into words.
import { byteCharacters } from "./_byte_characters.ts";
import { type SplitBehavior, splitText } from "./_split_text.ts";
import { inRust, numbers, punctuation as differences } from "./_unicode_tables.ts";
import { type Component, type Fail, lookUp } from "../files/definition.ts";

/**
 * Cuts a text into words, none of them empty.
 *
 * @param first Whether the text is the beginning of the whole text.
 */
export type PreTokenize = (text: string, first: boolean) => string[];

/**
 * Make a pre-tokenizer.
 *
 * @param part A tokenizer.json's `pre_tokenizer`.
 * @param fail Throws the error for a type that does not exist or a malformed setting.
 */
export async function makePreTokenizer(part: Component, fail: Fail): Promise<PreTokenize> {
  return await lookUp(types, part, "pre_tokenizer", fail)(part, fail);
}

/** Word characters as Unicode defines them: JavaScript's `\w` is ASCII's (and its `\s` lacks U+0085 and has U+FEFF). */
const word = "\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}\\p{Join_Control}";
const punctuation = inRust("\\p{P}\\u0021-\\u002f\\u003a-\\u0040\\u005b-\\u0060\\u007b-\\u007e", differences);
const number = new RegExp(inRust("\\p{N}", numbers), "gv");
const matches = (pattern: RegExp): PreTokenize => (text) => text.match(pattern) ?? [];

const types: Readonly<Record<string, (part: Component, fail: Fail) => PreTokenize | Promise<PreTokenize>>> = {
  BertPreTokenizer: () => matches(new RegExp(`[^\\p{White_Space}${punctuation}]+|${punctuation}`, "gv")),
  ByteLevel: byteLevel,
  CharDelimiterSplit: ({ delimiter }) => (text) => text.split(delimiter as string).filter((piece) => piece !== ""),
  Digits: ({ individual_digits }) => (text) => splitText(text, number, individual_digits ? "Isolated" : "Contiguous"),
  FixedLength: ({ length }) => matches(new RegExp(`[^]{1,${length}}`, "gu")),
  Metaspace: metaspace,
  Punctuation: ({ behavior = "Isolated" }) => {
    const pattern = new RegExp(punctuation, "gv");
    return (text) => splitText(text, pattern, behavior as SplitBehavior);
  },
  Sequence: ({ pretokenizers }, fail) => sequence(pretokenizers as Component[], fail),
  Split: split,
  Whitespace: () => matches(new RegExp(`[${word}]+|[^${word}\\p{White_Space}]+`, "gu")),
  WhitespaceSplit: () => matches(/\P{White_Space}+/gu),
};

function byteLevel({ add_prefix_space = true, use_regex = true }: Component): PreTokenize {
  const pattern =
    /'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\p{White_Space}\p{L}\p{N}]+|\p{White_Space}+(?!\P{White_Space})|\p{White_Space}+/gu;
  return (text) => {
    if (add_prefix_space && !text.startsWith(" ")) text = ` ${text}`;
    return (use_regex ? text.match(pattern) ?? [] : [text]).map(byteCharacters);
  };
}

/** Older files have `add_prefix_space` in place of `prepend_scheme`. */
function metaspace({ replacement, prepend_scheme, add_prefix_space, split = true }: Component): PreTokenize {
  const mark = replacement as string;
  const scheme = prepend_scheme ?? (add_prefix_space === false ? "never" : "always");
  return (text, first) => {
    text = text.replaceAll(" ", mark);
    if (!text.startsWith(mark) && (scheme === "always" || scheme === "first" && first)) text = mark + text;
    return split ? splitText(text, mark, "MergedWithNext") : [text];
  };
}

async function split(part: Component, fail: Fail): Promise<PreTokenize> {
  const { readPattern } = await import("./_pattern.ts");
  const pattern = readPattern(part, "pre_tokenizer", fail);
  return (text) => splitText(text, pattern, part.behavior as SplitBehavior, part.invert === true);
}

async function sequence(parts: readonly Component[], fail: Fail): Promise<PreTokenize> {
  const steps: PreTokenize[] = [];
  for (const part of parts) steps.push(await makePreTokenizer(part, fail));
  return (text, first) => {
    let pieces = [text];
    let begins = first;
    steps.forEach((step, n) => {
      const before = pieces[0];
      pieces = pieces.flatMap((piece, i) => step(piece, begins && i === 0));
      // If a step removed the front of the text, no piece is its beginning any more; another spelling removes nothing.
      const respelled = parts[n].type === "ByteLevel" || parts[n].type === "Metaspace";
      begins &&= respelled || pieces.length > 0 && before.startsWith(pieces[0]);
    });
    return pieces;
  };
}
