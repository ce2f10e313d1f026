// Nougat's own Markdown as others show it (NougatTokenizer's markdown_compatible).
import { pythonPattern } from "../python_text.ts";

const lines = { lines: true };
const numberBefore = pythonPattern(String.raw`^\(([\d.]+[a-zA-Z]?)\) \\\[(.+?)\\\]$`, lines);
const numberAfter = pythonPattern(String.raw`^\\\[(.+?)\\\] \(([\d.]+[a-zA-Z]?)\)$`, lines);
const numberBetween = pythonPattern(String.raw`^\\\[(.+?)\\\] \(([\d.]+[a-zA-Z]?)\) (\\\[.+?\\\])$`, lines);
const boldMath = pythonPattern(String.raw`\\mbox\{ ?\\boldmath\$(.*?)\$\}`);
const address = pythonPattern(
  String.raw`((?:http|ftp|https):\/\/(?:[\w_\-]+(?:(?:\.[\w_\-]+)+))(?:[\w.,@?\^=%&:\/~+#\-]*[\w@?\^=%&\/~+#\-]))`,
);
const algorithm = pythonPattern("```\\s*(.+?)\\s*```", { all: true });

/** Number equations by tags, spell bold as Markdown's mathematics does, make addresses links. */
export function markdownCompatible(text: string): string {
  return text
    .replace(numberBefore, (_, number, equation) => `\\[${equation} \\tag{${number}}\\]`)
    .replace(numberAfter, (_, equation, number) => `\\[${equation} \\tag{${number}}\\]`)
    .replace(numberBetween, (_, equation, number, other) => `\\[${equation} \\tag{${number}}\\] ${other}`)
    .replaceAll("\\. ", ". ")
    .replaceAll("\\bm{", "\\mathbf{")
    .replaceAll("{\\\\bm ", "\\mathbf{")
    .replace(boldMath, (_, bold) => `\\mathbf{${bold}}`)
    .replace(address, (found) => `[${found}](${found})`)
    .replace(algorithm, (_, code) => `\`\`\`\n${code}\n\`\`\``);
}
