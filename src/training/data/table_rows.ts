// The rows of a table that lists pictures: JSON lines or comma-separated values, a line's fault named by its number.
import { FormatError } from "../../errors/mod.ts";
import { isRecord, parseJson } from "../../hub/mod.ts";
import { loadCsvParse } from "../../packages/csv_parse.ts";

/** A row of a table. */
export interface TableRow {
  /** Where it stands in the file, from 1 on; of a row of several lines the last. */
  readonly line: number;
  /** Values by column; of comma-separated values always texts, as they stand there. */
  readonly fields: Readonly<Record<string, unknown>>;
}

/**
 * Read JSON lines; empty ones are passed over.
 *
 * @param file What messages call the file.
 * @throws {FormatError} If a line is no JSON object.
 */
export function jsonRows(text: string, file: string): TableRow[] {
  const rows: TableRow[] = [];
  text.replace(/^\ufeff/, "").split("\n").forEach((content, i) => {
    if (content.trim() === "") return;
    const name = `${file}, line ${i + 1}`;
    const fields = parseJson(content, name);
    if (!isRecord(fields)) {
      throw new FormatError(`Cannot read ${name}: it is ${kindOf(fields)}, and a JSON object was expected`, { file });
    }
    rows.push({ line: i + 1, fields });
  });
  return rows;
}

/**
 * Read comma-separated values, whose first row names the columns. Nothing is guessed: `007` and `NA` are texts, which
 * Python's pandas makes a number and a gap of.
 *
 * @param file What messages call the file.
 * @throws {FormatError} If a row has another number of columns, or a quote does not end.
 */
export async function csvRows(text: string, file: string): Promise<TableRow[]> {
  const parse = await loadCsvParse();
  try {
    const rows = parse(text, {
      ...{ bom: true, columns: true, info: true, skip_empty_lines: true },
      record_delimiter: ["\r\n", "\n", "\r"],
    }) as unknown as { record: Record<string, string>; info: { lines: number } }[];
    return rows.map(({ record, info }) => ({ line: info.lines, fields: record }));
  } catch (error) {
    throw new FormatError(`Cannot read ${file}: ${(error as Error).message}`, { file }, { cause: error });
  }
}

/** What a value of JSON is, for messages. */
export function kindOf(value: unknown): string {
  if (value === undefined) return "missing";
  if (value === null) return "null";
  return Array.isArray(value) ? "a list" : typeof value === "object" ? "an object" : `a ${typeof value}`;
}
