// Lists that the model wrote on one line, and LaTeX tables that it wrote without ends of lines
// (NougatTokenizer's normalize_list_like_lines and correct_tables).
import { pythonPattern, replaceText, strip } from "../python_text.ts";

const item = pythonPattern(String.raw`. ([-*]) `);
// With re.IGNORECASE, which takes both Turkish letters for an i.
const numbering = pythonPattern(String.raw`^[\dixvIXVİı]+(?:\.[\dixvIXVİı])*$`, { lines: true });

/** Put the items of a list on lines of their own, indented by their numbering. */
export function normalizeLists(text: string): string {
  const lines = text.split("\n");
  const written = lines.map((line, number) => {
    item.lastIndex = 0;
    const mark = item.exec(line)?.[1];
    if (mark === undefined || !["-", "*"].includes(line[0])) return line;
    const bullet = `${mark} `;
    let replacement = "";
    line.split(bullet).slice(1).forEach((part, i) => {
      const entry = strip(part);
      const at = entry.indexOf(" ");
      if (at < 0 || at === entry.length - 1) return;
      const first = entry.slice(0, at);
      numbering.lastIndex = 0;
      const level = numbering.exec(first)?.index === 0 ? first.split(".").length - 1 : 0;
      const own = i > 0 || number === 0 ? bullet : `${line[0]} `;
      replacement += `${i > 0 ? "\n" : ""}${"\t".repeat(level)}${own}${entry}`;
    });
    return number === lines.length - 1 ? `${replacement}\n` : replacement;
  });
  return written.join("\n");
}

const count = (text: string, part: string): number => text.split(part).length - 1;
const tableWithinLine = pythonPattern(String.raw`(^.+)\\begin{tab`.replaceAll("{", "\\{"), { lines: true });

/** Take out tables that are too large to be true, and put others on lines of their own. */
export function correctTables(text: string): string {
  for (const line of text.split("\n")) {
    const isWrong = count(line, "\\begin{tabular}") > 15 || count(line, "\\multicolumn") > 60 || count(line, "&") > 400;
    if (isWrong) text = replaceText(text, line, "");
  }
  return text
    .replaceAll("\\begin{table} \\begin{tabular}", "\\begin{table}\n\\begin{tabular}")
    .replaceAll("\\end{tabular} \\end{table}", "\\end{tabular}\n\\end{table}")
    .replaceAll("\\end{table} Tab", "\\end{table}\nTab")
    .replace(tableWithinLine, (_, before) => `${before}\n\\begin{tab`)
    .replaceAll("\\begin{tabular}{l l}  & \\\\ \\end{tabular}", "")
    .replaceAll("\\begin{tabular}{}\n\n\\end{tabular}", "");
}
