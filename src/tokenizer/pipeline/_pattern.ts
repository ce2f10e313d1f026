// The patterns of a tokenizer.json: npm @huggingface/tokenizers translates their regular expressions to JavaScript's.
import { ReplaceNormalizer, SplitPreTokenizer } from "../../packages/huggingface_tokenizers.ts";
import type { Component, Fail } from "../files/definition.ts";
import { LimnerError } from "../../errors/mod.ts";

/** The most characters that replacing may make of one text: 128 MB. */
const mostCharacters = 1 << 26;

/**
 * Read the pattern of a component.
 *
 * @param key What messages call the component, such as `normalizer`.
 * @returns A global regular expression.
 */
export function readPattern(part: Component, key: "normalizer" | "pre_tokenizer" | "decoder", fail: Fail): RegExp {
  const spelled = String(JSON.stringify(part.pattern)).slice(0, 80);
  const stored = part.pattern as Readonly<Record<string, unknown>> | null | undefined;
  if (typeof (stored?.Regex ?? stored?.String) !== "string") {
    return fail(
      `the pattern of its ${key} is ${spelled}, and {"Regex": text} or {"String": text} was expected`,
      `${key}.pattern`,
    );
  }
  try {
    const { pattern } = key === "pre_tokenizer"
      ? new SplitPreTokenizer(part as unknown as ConstructorParameters<typeof SplitPreTokenizer>[0])
      : new ReplaceNormalizer(part as unknown as ConstructorParameters<typeof ReplaceNormalizer>[0]);
    pattern!.test(""); // V8 compiles a regular expression when it is first used
    pattern!.lastIndex = 0;
    return pattern!;
  } catch (error) {
    const reason = (error as Error).message.slice(-200);
    return fail(`the pattern of its ${key}, ${spelled}, cannot be compiled: ${reason}`, `${key}.pattern`);
  }
}

/**
 * Make the function of a component that replaces what its pattern matches, in a normaliser or a decoder.
 *
 * @param key What messages call the component.
 */
export function makeReplace(part: Component, key: "normalizer" | "decoder", fail: Fail): (text: string) => string {
  const pattern = readPattern(part, key, fail);
  const { content } = part;
  if (typeof content !== "string") {
    fail(`the content of its ${key} is ${JSON.stringify(content)}, and text was expected`, `${key}.content`);
  }
  return (text) => {
    let characters = text.length;
    // JavaScript would read `$` in a text as a reference to the match; a function's result is taken as it is.
    return text.replace(pattern, () => {
      characters += (content as string).length;
      if (characters <= mostCharacters) return content as string;
      throw new LimnerError(
        `Cannot apply the Replace of the ${key}: it makes more than ${mostCharacters} characters of ${text.length}`,
      );
    });
  };
}
