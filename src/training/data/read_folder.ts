// A folder of pictures with a table of their texts, as Hugging Face's imagefolder has it: metadata.jsonl or metadata.csv
// with a column `file_name`, relative to the table's folder, and a column of texts. Pictures are not read here.
import { FormatError, HubError, LimnerError, OptionError } from "../../errors/mod.ts";
import { checkFileName, decodeText } from "../../hub/folder_repository.ts";
import { toFolderPath } from "../../hub/mod.ts";
import type { BrokenExample, Example } from "./example.ts";
import { csvRows, jsonRows, kindOf, type TableRow } from "./table_rows.ts";

/** Which columns of the table are read. */
export interface ColumnOptions {
  /** The column that names the pictures' files. @default file_name, else file, filename, image, image_path or path */
  readonly imageColumn?: string;
  /** The column of texts. @default text, else caption, transcription, transcript, label or ground_truth */
  readonly textColumn?: string;
}

/** What a folder has. */
export interface FolderContent {
  readonly examples: Example[];
  readonly broken: BrokenExample[];
}

/** The tables a folder may have. */
const tables = ["metadata.jsonl", "captions.jsonl", "metadata.csv"];

/** The most bytes of a table: 256 MiB, as of a JSON file of a model. */
const largestTable = 2 ** 28;

const imageColumns = ["file_name", "file", "filename", "image", "image_path", "path"];
const textColumns = ["text", "caption", "transcription", "transcript", "label", "ground_truth"];

/** How many files are looked for at a time. */
const filesAtOnce = 64;

/**
 * Read the table of a folder, and look for each picture's file.
 *
 * @throws {HubError} If there is no such folder.
 * @throws {OptionError} If it has no table or several, or the table has no such column.
 * @throws {FormatError} If the table is malformed, has no rows, or more than 256 MiB.
 */
export async function readFolder(given: string | URL, columns: ColumnOptions = {}): Promise<FolderContent> {
  const folder = toFolderPath(given);
  const entries = await entriesOf(folder);
  const found = tables.filter((name) => entries.has(name));
  if (found.length !== 1) throw new OptionError(`Cannot read the data set ${folder}: ${whichTable(found, entries)}`);
  const file = `${folder}/${found[0]}`;
  const { size } = await Deno.stat(file);
  if (size > largestTable) {
    throw new FormatError(`Cannot read ${file}: it has ${size} bytes, and at most ${largestTable} are read`, { file });
  }
  const text = decodeText(await Deno.readFile(file), file)!;
  const rows = file.endsWith(".csv") ? await csvRows(text, file) : jsonRows(text, file);
  if (rows.length === 0) throw new FormatError(`Cannot read ${file}: it lists no picture`, { file });
  const images = columnOf(rows, "imageColumn", columns.imageColumn, { known: imageColumns, file });
  const texts = columnOf(rows, "textColumn", columns.textColumn, { known: textColumns, file });
  const read: (Example | BrokenExample)[] = [];
  for (let at = 0; at < rows.length; at += filesAtOnce) {
    read.push(
      ...await Promise.all(
        rows.slice(at, at + filesAtOnce).map((row) => exampleOf(row, folder, found[0], images, texts)),
      ),
    );
  }
  return {
    examples: read.filter((one) => "text" in one),
    broken: read.filter((one) => "reason" in one),
  };
}

/** The names in a folder, of folders with a `/` at the end. */
async function entriesOf(folder: string): Promise<Set<string>> {
  try {
    const entries = await Array.fromAsync(Deno.readDir(folder));
    return new Set(entries.map(({ name, isDirectory }) => isDirectory ? `${name}/` : name));
  } catch (error) {
    const [missing, file] = [Deno.errors.NotFound, Deno.errors.NotADirectory].map((kind) => error instanceof kind);
    const reason = missing ? "there is no such folder" : file ? "it is a file" : (error as Error).message;
    throw new HubError(`Cannot read the data set ${folder}: ${reason}`, {
      cause: error,
      ...(missing && { code: "not-found" as const }),
    });
  }
}

function whichTable(found: readonly string[], entries: ReadonlySet<string>): string {
  if (found.length > 1) return `it has ${found.join(" and ")}, and one of them was expected`;
  if (entries.has("metadata.parquet")) {
    return "its table is metadata.parquet, which is not read; write it as metadata.jsonl or metadata.csv";
  }
  const inside = [...entries].filter((name) => /^(?:train|test|validation)\/$/.test(name)).sort();
  const hint = inside.length > 0 ? `; a part such as ${[...inside][0]} may have one` : "";
  return `it has no ${tables.join(", ")}, and one of them was expected${hint}`;
}

/** The column that is asked for, or the first that is known. */
function columnOf(
  rows: readonly TableRow[],
  option: "imageColumn" | "textColumn",
  asked: string | undefined,
  { known, file }: { readonly known: readonly string[]; readonly file: string },
): string {
  const there = new Set(rows.slice(0, 100).flatMap(({ fields }) => Object.keys(fields)));
  const column = asked ?? known.find((name) => there.has(name));
  if (column !== undefined && there.has(column)) return column;
  throw new OptionError(
    `Cannot read ${file}: it has no column ${asked ?? known.join(", ")}; it has ${[...there].join(", ")}` +
      (asked === undefined ? ` (option ${option} names the right one)` : ""),
  );
}

async function exampleOf(
  { line, fields }: TableRow,
  folder: string,
  table: string,
  imageColumn: string,
  textColumn: string,
): Promise<Example | BrokenExample> {
  const [image, text] = [fields[imageColumn], fields[textColumn]];
  if (typeof image !== "string" || image === "") {
    return {
      name: `${table}, line ${line}`,
      reason: `its ${imageColumn} is ${image === "" ? "empty" : kindOf(image)}`,
    };
  }
  const name = `${image} (${table}, line ${line})`;
  if (typeof text !== "string") return { name, reason: `its ${textColumn} is ${kindOf(text)}, expected a text` };
  try {
    checkFileName(folder, image);
    const { isFile } = await Deno.stat(`${folder}/${image}`);
    if (!isFile) return { name, reason: "it is a folder, expected a picture" };
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return { name, reason: "there is no such file" };
    if (error instanceof LimnerError) return { name, reason: "the name must lie inside the folder, parts joined by /" };
    return { name, reason: (error as Error).message };
  }
  return { image: `${folder}/${image}`, text, name };
}
