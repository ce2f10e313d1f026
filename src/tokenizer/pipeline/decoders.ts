// The decoders of a tokenizer.json, as in the Rust library: functions from tokens to texts, which are then joined.
import { textOfBytes } from "./_byte_characters.ts";
import { type Component, type Fail, lookUp } from "../files/definition.ts";

/** Turns tokens into texts. */
export type Decode = (tokens: readonly string[]) => string[];

/**
 * Make a decoder.
 *
 * @param part A tokenizer.json's `decoder`.
 * @param fail Throws the error for a type that does not exist or a malformed setting.
 */
export async function makeDecoder(part: Component, fail: Fail): Promise<Decode> {
  return await lookUp(types, part, "decoder", fail)(part, fail);
}

const types: Readonly<Record<string, (part: Component, fail: Fail) => Decode | Promise<Decode>>> = {
  BPEDecoder: ({ suffix }) => (tokens) =>
    tokens.map((token, i) =>
      token.replaceAll(suffix === "" ? /(?:)/gu : suffix as string, i < tokens.length - 1 ? " " : "")
    ),
  ByteFallback: () => byteFallback,
  ByteLevel: () => (tokens) => [textOfBytes(tokens)],
  CTC: ctc,
  Fuse: () => (tokens) => [tokens.join("")],
  Metaspace: ({ replacement, prepend_scheme, add_prefix_space }) => (tokens) => {
    // The first token's mark is the space that the pre-tokenizer put before the text, if it did.
    const never = prepend_scheme === "never" || prepend_scheme === undefined && add_prefix_space === false;
    return tokens.map((token, i) => token.replaceAll(replacement as string, i === 0 && !never ? "" : " "));
  },
  Replace: async (part, fail) => {
    const { makeReplace } = await import("./_pattern.ts");
    const replace = makeReplace(part, "decoder", fail);
    return (tokens) => tokens.map(replace);
  },
  Sequence: async ({ decoders }, fail) => {
    const steps: Decode[] = [];
    for (const step of decoders as Component[]) steps.push(await makeDecoder(step, fail));
    return (tokens) => steps.reduce<string[]>((now, step) => step(now), [...tokens]);
  },
  Strip: async (part) => {
    const { StripDecoder } = await import("../../packages/huggingface_tokenizers.ts");
    const decoder = new StripDecoder(part as never);
    return (tokens) => decoder.decode_chain([...tokens]);
  },
  WordPiece: ({ prefix, cleanup }) => (tokens) =>
    tokens.map((token, i) => {
      const joined = i === 0
        ? token
        : token.startsWith(prefix as string)
        ? token.slice((prefix as string).length)
        : ` ${token}`;
      return cleanup ? cleanUpWords(joined) : joined;
    }),
};

/** Consecutive byte tokens are one text if their bytes are UTF-8, otherwise a replacement character each. */
function byteFallback(tokens: readonly string[]): string[] {
  const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  const result: string[] = [];
  let bytes: number[] = [];
  const flush = (): void => {
    try {
      if (bytes.length > 0) result.push(utf8.decode(Uint8Array.from(bytes)));
    } catch {
      for (const _ of bytes) result.push("\ufffd");
    }
    bytes = [];
  };
  for (const token of tokens) {
    const [, byte] = /^<0x([0-9A-Fa-f]{2})>$/.exec(token) ?? [];
    if (byte !== undefined) bytes.push(parseInt(byte, 16));
    else {
      flush();
      result.push(token);
    }
  }
  flush();
  return result;
}

function ctc({ pad_token, word_delimiter_token, cleanup }: Component): Decode {
  return (tokens) =>
    tokens.filter((token, i) => token !== tokens[i - 1])
      .map((token) => {
        const text = token.replaceAll(pad_token as string, "");
        return cleanup ? cleanUpWords(text).replaceAll(word_delimiter_token as string, " ") : text;
      })
      .filter((text) => text !== "");
}

/** The Rust library's clean-up of one token, which has one contraction more than Transformers'. */
function cleanUpWords(text: string): string {
  return cleanUp(text, [" do not", " don't"]);
}

/**
 * Remove the spaces before punctuation and in contractions (Transformers' `clean_up_tokenization`).
 *
 * @param text The text.
 * @param more A further pair of a text and its replacement, which Rust's clean-up has.
 */
export function cleanUp(text: string, more?: readonly [string, string]): string {
  for (const pair of [" .", " ?", " !", " ,"]) text = text.replaceAll(pair, pair[1]);
  text = text.replaceAll(" ' ", "'").replaceAll(" n't", "n't").replaceAll(" 'm", "'m");
  if (more) text = text.replaceAll(...more);
  return text.replaceAll(" 's", "'s").replaceAll(" 've", "'ve").replaceAll(" 're", "'re");
}
