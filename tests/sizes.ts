// How large a file, a folder and a function may be, so that each can be taken in at once. It relies on the formatter: what
// begins with some indentation ends at the next bracket with the same.

/** The most lines of a file. */
const mostLines = 330;
/** The most files of a folder, its subfolders not counted. */
const mostFiles = 24;
/** The most lines of a function. */
const mostFunctionLines = 60;

/** What begins a function or a method, as the formatter writes it. */
const opening =
  /^( *)(?:export )?(?:default )?(?:async )?(?:function\b|(?:static |async |override |private |get |set |\*)*(?:\[Symbol\.\w+\]|#?[a-zA-Z]\w*)(?:<[^(]*>)?\(|(?:const|let) \w+.*=>? ?.*(?:=> |function\b))/;

/** A function's name and its lines. */
interface Span {
  readonly name: string;
  readonly lines: number;
}

/** The functions and methods of a source, those within others too. */
export function functionsOf(source: string): Span[] {
  const lines = source.split("\n");
  const found: Span[] = [];
  lines.forEach((line, at) => {
    const indentation = opening.exec(line)?.[1];
    if (indentation === undefined || /^\s*(?:if|for|while|switch|return|throw|await|else|catch|super)\b/.test(line)) {
      return;
    }
    // The body opens on this line, or on the one that closes the parameters.
    let head = at;
    if (!line.endsWith("{")) {
      if (!line.endsWith("(")) return;
      head = lines.findIndex((other, i) => i > at && other.startsWith(`${indentation})`));
      if (head < 0 || !lines[head].endsWith("{")) return;
    }
    const end = lines.findIndex((other, i) => i > head && other.startsWith(`${indentation}}`));
    if (end > 0) found.push({ name: line.trim(), lines: end - at + 1 });
  });
  return found;
}

/**
 * Check sources against the sizes.
 *
 * @param sources Source text by path from the project's root.
 * @returns One line for each that is too large; empty if none is.
 */
export function oversized(sources: ReadonlyMap<string, string>): string[] {
  const found: string[] = [];
  const folders = Map.groupBy(sources.keys(), (file) => file.slice(0, file.lastIndexOf("/") + 1));
  for (const [folder, files] of folders) {
    if (files.length > mostFiles) found.push(`${folder} has ${files.length} files: at most ${mostFiles}`);
  }
  for (const [file, source] of sources) {
    const lines = source.trimEnd().split("\n").length;
    if (lines > mostLines) found.push(`${file} has ${lines} lines: at most ${mostLines}`);
    for (const { name, lines } of functionsOf(source)) {
      if (lines > mostFunctionLines) found.push(`${file}: ${name} has ${lines} lines: at most ${mostFunctionLines}`);
    }
  }
  return found;
}
