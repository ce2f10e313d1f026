// References that the model made up: many lines one after the other that say nearly the same
// (NougatTokenizer's remove_hallucinated_references). Lengths are in characters, that is code points.
import { after, pythonPattern, replaceText, strip } from "../python_text.ts";

const missing = "\n\n[MISSING_PAGE_POST]\n\n";
const numbersAndBold = pythonPattern(String.raw`(?:[\d_]|\*\*)`);
const emptyReferences = pythonPattern(String.raw`## References\n+\[MISSING_PAGE_POST(:\d+)?\]`);

/** Han characters that are numbers, beside Unicode's own numerals: str.isnumeric. */
const hanNumbers =
  "㐅㒃㠪㭍一七万三九二五亖亿什仟仨伍佰億兆兩八六十千卄卅卌叁参參叄四壱壹幺廾廿弌弍弎弐拾捌柒漆玖百肆萬貮貳贰阡陆陌陸零參拾兩零六陸什𠀁𠁤𠃢𠄡𠤪𠦃𠦌𠦜𠫪𠫽𠬙𢎐𢦘𣬛𦉭廾";
const numeral = new RegExp(`[\\p{N}${hanNumbers}]`, "u");

const withoutNumbers = (line: string): string => strip(line.replace(numbersAndBold, ""));
const lengthOf = (text: string): number => [...text].length;

/** How alike two texts are, of which one is not empty, 0 to 1: twice their longest common subsequence by their lengths (Levenshtein.ratio). */
function likeness(a: string, b: string): number {
  const [x, y] = [[...a], [...b]];
  let row = new Uint16Array(y.length + 1);
  for (const character of x) {
    const next = new Uint16Array(y.length + 1);
    for (let j = 0; j < y.length; j++) {
      next[j + 1] = y[j] === character ? row[j] + 1 : Math.max(row[j + 1], next[j]);
    }
    row = next;
  }
  return 2 * row[y.length] / (x.length + y.length);
}

/** Stretches of more than 15 lines that are alike, as their first line and the one after their last. */
function alikeLines(cleaned: readonly string[]): [from: number, to: number][] {
  const short = (line: string) => lengthOf(line) < 200 && lengthOf(line) > 3;
  const marked = new Set<number>();
  for (let i = 0; i < cleaned.length - 1; i++) {
    let j = i + 1;
    while (!cleaned[j] && j < cleaned.length - 1) j++;
    const [a, b] = [cleaned[i], cleaned[j]];
    const alike = short(a) && short(b) && !a.startsWith("[MISSING_PAGE") && (a === b || likeness(a, b) > 0.9);
    if (alike) { for (let line = i; line < j; line++) marked.add(line); }
  }
  const lines = [...marked].sort((a, b) => a - b);
  const stretches: [number, number][] = [];
  lines.forEach((line, n) => {
    const last = stretches.at(-1);
    if (last && line - lines[n - 1] <= 3) last[1] = line + 2;
    else stretches.push([line, line + 2]);
  });
  return stretches.filter(([from, to]) => to - from > 15);
}

/** The text of a stretch, with its heading before it, and without what the next page begins with. */
function textOfStretch(
  lines: readonly string[],
  cleaned: readonly string[],
  stretch: readonly [number, number],
): string {
  const base = cleaned[stretch[0]];
  let [from, to] = stretch;
  let entriesOnly = false;
  for (let line = Math.max(0, stretch[0] - 1); line > Math.max(0, stretch[0] - 5); line--) {
    if (!lines[line]) continue;
    if (lines[line] === "## References") {
      from = line;
      break;
    }
    if (likeness(base, withoutNumbers(lines[line])) >= 0.9) continue;
    const entry = withoutNumbers(after(lines[Math.max(0, line - 1)], "* ["));
    from = lengthOf(entry) >= 0.75 * lengthOf(base) && likeness(base, entry) < 0.9 ? line : line + 1;
    entriesOnly = true;
    break;
  }
  for (let line = Math.min(lines.length, stretch[1]); line < Math.min(lines.length, stretch[1] + 5); line++) {
    if (likeness(base, withoutNumbers(lines[line])) >= 0.9) continue;
    to = line;
    break;
  }
  to = Math.min(to, lines.length - 1);
  let text = lines.slice(from, to + 1).join("\n");
  const shared = sharedBeginning(lines[to - 1], lines[to]);
  if (entriesOnly && text.includes("* [")) text = `* [${after(text, "* [")}`;
  const rest = shared === undefined ? 0 : lengthOf(lines[to]) - shared - 1;
  if (rest > 0) text = [...text].slice(0, -rest).join("");
  return strip(text);
}

/** Where in the second line the two stop being the same but for numbers; undefined if the second was not looked into. */
function sharedBeginning(first: string, second: string): number | undefined {
  const [a, b] = [[...first], [...second]];
  let [i, j] = [-1, -1];
  const isNumeral = (character: string) => numeral.test(character);
  for (;;) {
    do i++; while (i < a.length && isNumeral(a[i]));
    if (i >= a.length) break;
    do j++; while (j < b.length && isNumeral(b[j]));
    if (j >= b.length || a[i] !== b[j]) break;
  }
  const seen = Math.min(j, b.length - 1);
  return seen < 0 ? undefined : seen;
}

/** Put a mark in the place of references that were made up. */
export function removeHallucinatedReferences(text: string): string {
  const lines = text.split("\n");
  const cleaned = lines.map(withoutNumbers);
  const made = alikeLines(cleaned).map((stretch) => textOfStretch(lines, cleaned, stretch));
  for (const part of made.toReversed()) text = replaceText(text, part, missing);
  return text.replace(emptyReferences, (_, page = "") => `\n\n[MISSING_PAGE_POST${page}]`);
}
