// Donut's tagged text as an object: `<s_key>value</s_key>` is a field, `<sep/>` stands between the entries of a list.
// A port of transformers.DonutProcessor.token2json that gives the same for text that is not well formed, too.

import { strip } from "./python_text.ts";

/** A field's value. */
export type TaggedValue = string | TaggedObject | (string | TaggedObject)[];

/** The fields of tagged text. */
export interface TaggedObject {
  /** A field by the name of its tag. */
  [key: string]: TaggedValue;
}

/** Options of `token2json`. */
export interface TaggedTextOptions {
  /**
   * The tokens that were added to the tokenizer's vocabulary: a leaf that is one of them, such as `<yes/>`, is a category
   * and becomes `yes`. @default every leaf of that form
   */
  readonly addedTokens?: Iterable<string>;
}

const escape = (text: string): string => text.replace(/[\\^$.*+?()[\]{}|/]/g, String.raw`\$&`);
const only = <T>(values: T[]): T | T[] => values.length === 1 ? values[0] : values;
const separator = "<sep/>";

type IsCategory = (leaf: string) => boolean;

function valueOf(content: string, isCategory: IsCategory): TaggedValue | undefined {
  if (content.includes("<s_") && content.includes("</s_")) {
    const { objects } = parse(content, isCategory);
    return objects.length > 0 ? only(objects) : undefined;
  }
  return only(
    content.split(separator).map((part) => {
      const leaf = strip(part);
      return leaf.startsWith("<") && leaf.endsWith("/>") && isCategory(leaf) ? leaf.slice(1, -2) : leaf;
    }),
  );
}

/** The objects of text, whether they are a list, and the rest of the text, which has no tag. */
function parse(text: string, isCategory: IsCategory): { objects: TaggedObject[]; listed: boolean; rest: string } {
  const objects: TaggedObject[] = [];
  let listed = false;
  let fields = new Map<string, TaggedValue>();
  for (let start: RegExpExecArray | null; (start = /<s_([^>]*)>/iu.exec(text));) {
    const [opening, key] = start;
    const closing = new RegExp(`</s_${escape(key)}>`, "iu").exec(text)?.[0];
    if (closing === undefined) {
      text = text.replaceAll(opening, "");
      continue;
    }
    const content = new RegExp(`${escape(opening)}(.*?)${escape(closing)}`, "isu").exec(text)?.[1];
    const value = content === undefined ? undefined : valueOf(strip(content), isCategory);
    if (value !== undefined) fields.set(key, value);
    text = strip(text.slice(text.indexOf(closing) + closing.length));
    if (text.startsWith(separator)) {
      objects.push(Object.fromEntries(fields));
      fields = new Map();
      listed = true;
      text = text.slice(separator.length);
    }
  }
  if (fields.size > 0) objects.push(Object.fromEntries(fields));
  return { objects, listed, rest: text };
}

/**
 * Turn Donut's tagged text into an object, as transformers.DonutProcessor.token2json.
 *
 * @param options.addedTokens The tokens that are categories where they are leaves. @default every `<name/>`
 * @returns The fields; a list of objects where `<sep/>` stands between them; `text_sequence` where there is no tag.
 *
 * @example
 * ```ts
 * import { token2json } from "@limner/limner";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(token2json("<s_name>Tea</s_name><s_price>3</s_price>"), { name: "Tea", price: "3" });
 * ```
 */
export function token2json(text: string, options: TaggedTextOptions = {}): TaggedObject | TaggedObject[] {
  const added = options.addedTokens && new Set(options.addedTokens);
  const { objects, listed, rest } = parse(text, (leaf) => added?.has(leaf) ?? true);
  if (listed) return objects;
  return objects[0] ?? { text_sequence: rest };
}
