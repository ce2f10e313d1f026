// Captions as a table, CSV or Parquet, made of a log's rows, and read back so that a folder can be gone on with.
import { FormatError } from "../../errors/mod.ts";
import { writing } from "../../errors/writing.ts";
import { splitPath } from "../../hub/mod.ts";
import { PendingFile, syncFolder } from "../../hub/atomic_file.ts";
import { loadCsvParse } from "../../packages/csv_parse.ts";
import { loadCsvStringify } from "../../packages/csv_stringify.ts";
import { loadHyparquet } from "../../packages/hyparquet.ts";
import { loadHyparquetWriter } from "../../packages/hyparquet_writer.ts";
import type { AnswerError } from "./answer_fields.ts";
import type { CaptionRow } from "./caption_log.ts";

/** The columns and their types; what a picture has nothing in is null, in CSV empty. */
const columns = {
  file: "STRING",
  text: "STRING",
  /** JSON. */
  document: "STRING",
  confidence: "DOUBLE",
  truncated: "BOOLEAN",
  repetition: "BOOLEAN",
  error: "STRING",
  error_code: "STRING",
} as const;

type Column = keyof typeof columns;
type TableRow = Record<Column, string | number | boolean | null>;

const names = Object.keys(columns) as Column[];

/** How many rows are turned into text, or a row group, at a time. */
const rowsAtOnce = 10_000;

/** Whether a file's name is that of a table. */
export function isTable(path: string): boolean {
  return /\.(?:csv|parquet)$/i.test(path);
}

/** Write a table, which appears whole. */
export async function writeTable(path: string, rows: AsyncIterable<CaptionRow>): Promise<void> {
  const { folder, name } = splitPath(path);
  using pending = await PendingFile.create(folder, name);
  await writing(path, () => (isParquet(path) ? writeParquet : writeCsv)(pending, rows));
  await pending.flush();
  await pending.appear();
  await syncFolder(folder);
}

/**
 * Read a table that `writeTable` wrote.
 *
 * @throws {FormatError} If it is none.
 */
export async function* readTable(path: string): AsyncGenerator<CaptionRow> {
  let rows: Record<string, unknown>[];
  try {
    rows = await (isParquet(path) ? parquetRows : csvRows)(path);
  } catch (error) {
    throw new FormatError(`Cannot go on with ${path}: ${(error as Error).message}`, { file: path }, { cause: error });
  }
  for (const [i, row] of rows.entries()) {
    if (typeof row.file === "string" && row.file !== "" && "error_code" in row) yield captionRow(row as TableRow);
    else throw new FormatError(`Cannot go on with ${path}: its row ${i + 1} is no caption`, { file: path });
  }
}

function isParquet(path: string): boolean {
  return /\.parquet$/i.test(path);
}

async function writeCsv(pending: PendingFile, rows: AsyncIterable<CaptionRow>): Promise<void> {
  const stringify = await loadCsvStringify();
  const write = async (lines: readonly (readonly unknown[])[]) => {
    const text = stringify(lines as unknown[][], { cast: { boolean: String } });
    await pending.write(new TextEncoder().encode(text));
  };
  const lines: unknown[][] = [names];
  for await (const row of rows) {
    const fields = tableRow(row);
    lines.push(names.map((name) => fields[name]));
    if (lines.length >= rowsAtOnce) await write(lines.splice(0));
  }
  await write(lines);
}

async function writeParquet(pending: PendingFile, rows: AsyncIterable<CaptionRow>): Promise<void> {
  const { fileWriter, parquetWriteRows } = await loadHyparquetWriter();
  await parquetWriteRows({
    writer: fileWriter(pending.path),
    rows: mapped(rows, tableRow),
    columns: names.map((name) => ({ name, type: columns[name], nullable: name !== "file" })),
    rowGroupSize: rowsAtOnce,
    createdBy: "limner",
  });
}

async function* mapped<A, B>(items: AsyncIterable<A>, map: (item: A) => B): AsyncGenerator<B> {
  for await (const item of items) yield map(item);
}

async function csvRows(path: string): Promise<Record<string, unknown>[]> {
  const parse = await loadCsvParse();
  const text = await Deno.readTextFile(path);
  return parse(text, { bom: true, columns: true }) as unknown as Record<string, unknown>[];
}

async function parquetRows(path: string): Promise<Record<string, unknown>[]> {
  const { asyncBufferFromFile, parquetReadObjects } = await loadHyparquet();
  return await parquetReadObjects({ file: await asyncBufferFromFile(path) });
}

function tableRow(row: CaptionRow): TableRow {
  const error = row.error as AnswerError | undefined;
  const captioned = error === undefined;
  return {
    file: row.file,
    text: row.text as string ?? null,
    document: row.document === undefined ? null : JSON.stringify(row.document),
    confidence: row.confidence as number ?? null,
    truncated: captioned ? row.truncated === true : null,
    repetition: captioned ? row.repetition === true : null,
    error: error?.message ?? null,
    error_code: error?.code ?? null,
  };
}

function captionRow(row: TableRow): CaptionRow {
  const { file, text, document, confidence, error, error_code: code } = row;
  const given = (value: unknown) => value !== null && value !== undefined && value !== "";
  if (given(code)) return { file: file as string, error: { message: error ?? "", code } };
  return {
    file: file as string,
    ...(given(document) ? { document: JSON.parse(document as string) } : { text: text ?? "" }),
    confidence: Number(confidence),
    ...(String(row.truncated) === "true" && { truncated: true }),
    ...(String(row.repetition) === "true" && { repetition: true }),
  };
}
