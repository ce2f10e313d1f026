// Nougat's text as its authors mend it (NougatTokenizer.post_process_generation): what the model made up or repeated goes,
// and lists, tables and formulas get the form that Markdown has for them.
import { pythonPattern, strip } from "../python_text.ts";
import { correctTables, normalizeLists } from "./_lists_and_tables.ts";
import { markdownCompatible } from "./_markdown_compatible.ts";
import { removeHallucinatedReferences } from "./_references.ts";
import { truncateRepetitions } from "./_repetitions.ts";

/** Options of {@linkcode postProcessGeneration}. */
export interface PostProcessOptions {
  /**
   * Whether formulas, addresses and algorithms are spelt as Markdown has them.
   * @default true
   */
  readonly fixMarkdown?: boolean;
}

type Step = readonly [pattern: RegExp, by: (found: string, ...groups: string[]) => string];

const lines = { lines: true };
const raw = String.raw;
const nothing = () => "";

const longHeading: Step = [pythonPattern(raw`(?:\n|^)#+ \d*\W? ?(.{100,})`), (_, text) => `\n${text}`];
const emptyHeading: Step = [pythonPattern(raw`^#+ (?:[\d+\.]+|[ixv\.]+)?\s*(?:$|\n\s*)`, lines), nothing];

/** References, single letters at the ends, formulas of PubMed Central, and footnotes. */
const corrections: readonly Step[] = [
  [pythonPattern(raw`^\* \[\d+\](\s?[A-W]\.+\s?){10,}.*$`, lines), nothing],
  [pythonPattern(raw`^(\* \[\d+\])\[\](.*)$`, lines), (_, entry, rest) => `${entry}${rest}`],
  [pythonPattern(raw`(^\w\n\n|\n\n\w$)`), nothing],
  [
    pythonPattern(raw`([\s.,()])_([a-zA-Z0-9])__([a-zA-Z0-9]){1,3}_([\s.,:()])`),
    (_, before, name, index, behind) => `${before}\\(${name}_{${index}}\\)${behind}`,
  ],
  [
    pythonPattern(raw`([\s.,\d])_([a-zA-Z0-9])_([\s.,\d;])`),
    (_, before, name, behind) => `${before}\\(${name}\\)${behind}`,
  ],
  [
    pythonPattern(raw`(\nFootnote .*?:) (?:footnotetext|thanks):\W*(.*(?:\n\n|$))`),
    (_, mark, text) => `${mark} ${text}`,
  ],
  [pythonPattern(raw`\[FOOTNOTE:.+?\](.*?)\[ENDFOOTNOTE\]`), nothing],
];

/** Tables without cells, headings and lines without text, and lines between paragraphs. */
const remainders: readonly Step[] = [
  [pythonPattern(raw`\\begin\{tabular\}\{([clr ]){2,}\}\s*[& ]*\s*(\\\\)? \\end\{tabular\}`), nothing],
  [pythonPattern(raw`(\*\*S\. A\. B\.\*\*\n+){2,}`), nothing],
  [pythonPattern(raw`^#+( [\[\d\w])?$`, lines), nothing],
  [pythonPattern(raw`^\.\s*$`, lines), nothing],
  [/\n{3,}/g, () => "\n\n"],
];

const apply = (text: string, [pattern, by]: Step): string => text.replace(pattern, by);
const single = /^[A-Z0-9,;:]\n?$/;

/**
 * Mend the text that a Nougat model wrote, as transformers.NougatTokenizer.post_process_generation does where nltk's list
 * of English words is not installed.
 *
 * @param text The text of a page.
 * @returns Markdown, with a space or empty lines at its ends so that it can be joined to other pages.
 *
 * @example
 * ```ts
 * import { postProcessGeneration } from "@limner/limner";
 * import { assertEquals } from "@std/assert";
 *
 * const page = "# Results\n\nThe loss falls.\n\n## Conclusion\n";
 * assertEquals(postProcessGeneration(page), "\n\n# Results\n\nThe loss falls.\n"); // a heading without text is left out
 * ```
 */
export function postProcessGeneration(text: string, { fixMarkdown = true }: PostProcessOptions = {}): string {
  text = strip(apply(text, longHeading)).replaceAll("\n* [leftmargin=*]\n", "\n");
  text = withoutLastHeading(apply(text, emptyHeading));
  text = removeHallucinatedReferences(truncateRepetitions(text));
  text = normalizeLists(corrections.reduce(apply, text));
  text = correctTables(joinable(text)).replaceAll("\\begin{array}[]{", "\\begin{array}{");
  text = remainders.reduce(apply, text);
  return fixMarkdown ? markdownCompatible(text) : text;
}

/** A heading at a page's end is likely one that the model made up. */
function withoutLastHeading(text: string): string {
  const all = text.split("\n");
  return all.length > 1 && /^#+ /.test(all.at(-1)!) ? all.slice(0, -1).join("\n") : text;
}

/** What separates the text from the pages before and after it. */
function joinable(text: string): string {
  if (text.endsWith(".") || text.endsWith("}")) text += "\n\n";
  if (single.test(text)) return `${text} `;
  if (/^(?:#|\*\*|\\begin)/.test(text)) return `\n\n${text}`;
  return `${text}${/^(?:#|Figure|Table)/.test(text.split("\n").at(-1)!) ? "\n\n" : " "}`;
}
