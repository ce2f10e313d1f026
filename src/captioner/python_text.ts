// Texts as Python sees them, for what is ported from there: its white space, letters and digits, a line that ends with a
// line feed only, and characters that are code points.

/** What Python's `\s` matches, and str.strip takes away; for the inside of a character class. */
export const space = String.raw`\t-\r\x1c-\x20\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000`;

/** A text without the white space at its ends. */
export function strip(text: string): string {
  return text.replace(new RegExp(`^[${space}]+|[${space}]+$`, "g"), "");
}

/** What stands for what in a pattern: Python's classes, its `.`, and `^` and `$` of lines and of texts. */
const meanings: Readonly<Record<string, string>> = {
  "\\s": `[${space}]`,
  "\\w": "[\\p{L}\\p{N}_]",
  "\\W": "[^\\p{L}\\p{N}_]",
  "\\d": "\\p{Nd}",
  ".": "[^\\n]",
};

/** Of a class's inside, the same. */
const inClass: Readonly<Record<string, string>> = { "\\s": space, "\\w": "\\p{L}\\p{N}_", "\\d": "\\p{Nd}" };

/**
 * A pattern of Python's `re` as a regular expression that replaces all.
 *
 * @param source The pattern, in Python's spelling.
 * @param options.lines Whether `^` and `$` are those of lines (re.MULTILINE). @default false
 * @param options.all Whether `.` matches a line feed too (re.DOTALL). @default false
 */
export function pythonPattern(source: string, { lines = false, all = false } = {}): RegExp {
  const [start, end] = lines ? ["(?<![^\\n])", "(?![^\\n])"] : ["(?<![^])", "(?=\\n?(?![^]))"];
  const outside: Readonly<Record<string, string>> = { ...meanings, "^": start, "$": end, ...(all && { ".": "[^]" }) };
  const pattern = source.replace(/\[\^?\]?(?:\\.|[^\]\\])*\]|\\.|[.^$]/g, (part) => {
    if (!part.startsWith("[")) return outside[part] ?? part;
    return part.replace(/\\[swd]/g, (name) => inClass[name]);
  });
  return new RegExp(pattern, "gu");
}

/** Python's `str.replace`, which takes nothing in the new text for a pattern, and finds the empty text everywhere. */
export function replaceText(text: string, old: string, by: string): string {
  return old === "" ? [...by, ...[...text].flatMap((c) => [c, by])].join("") : text.replaceAll(old, () => by);
}

/** What is after the first place of `mark` in a text, or nothing. */
export function after(text: string, mark: string): string {
  const at = text.indexOf(mark);
  return at < 0 ? "" : text.slice(at + mark.length);
}
