// A line of what a worker is given: which picture, and the id of its answer. A line at fault is a job that cannot be done.
import { pathToFileURL } from "node:url";
import { OptionError } from "../../errors/mod.ts";
import { isRecord } from "../../hub/mod.ts";
import type { CaptionJob } from "./caption_jobs.ts";
import type { Line } from "./read_lines.ts";

/** What an answer repeats of its line. */
export interface WorkerLine {
  /** The line's id; null where it has none that can be told apart. */
  readonly id: string | number | null;
  /** Its number, from 1 on. */
  readonly number: number;
}

/** The longest line: 64 MiB, which holds a picture of 48 MiB in base64. */
export const mostLineBytes = 2 ** 26;

/** The longest id, in characters, and of how many lines ids are remembered. */
const longestId = 1000, idsRemembered = 65_536;

/** What is wrong with a line. */
export class LineError extends OptionError {
  /**
   * @param message What is wrong, and what was expected.
   * @param code The same in a word.
   */
  constructor(message: string, readonly code: "line" | "too-large" | "duplicate-id") {
    super(message);
  }
}

/** The ids of the last lines, so that one that comes again is found. */
export class RecentIds {
  readonly #lines = new Map<string | number, number>();

  /** Remember the id of a line. @throws {LineError} If one of the last 65,536 lines had it. */
  add(id: string | number, line: number): void {
    const earlier = this.#lines.get(id);
    if (earlier !== undefined) {
      throw new LineError(`Cannot read line ${line}: its id is that of line ${earlier}`, "duplicate-id");
    }
    this.#lines.set(id, line);
    if (this.#lines.size <= idsRemembered) return;
    for (const oldest of this.#lines.keys()) {
      this.#lines.delete(oldest);
      break;
    }
  }
}

/** The picture that a line asks for; undefined of an empty line. */
export async function jobOf(line: Line, ids: RecentIds): Promise<CaptionJob<WorkerLine> | undefined> {
  if (line.text !== undefined && line.text.trim() === "") return undefined;
  const job = { place: line.number - 1, name: `of line ${line.number}`, bytes: line.bytes };
  let id: WorkerLine["id"] = null;
  try {
    const fields = fieldsOf(line);
    id = idOf(fields, line.number);
    ids.add(id, line.number);
    return { ...job, about: { id, number: line.number }, ...await sourceOf(fields, line.number) };
  } catch (error) {
    return { ...job, about: { id, number: line.number }, source: error as Error };
  }
}

function fieldsOf({ number, text, problem, bytes }: Line): Record<string, unknown> {
  if (problem === "too long") {
    const message = `Cannot read line ${number}: it has ${bytes} bytes, expected at most ${mostLineBytes}`;
    throw new LineError(message, "too-large");
  }
  let fields: unknown;
  try {
    if (!problem) fields = JSON.parse(text!);
  } catch {
    // The parser's message would quote the line.
  }
  if (isRecord(fields)) return fields;
  const found = problem ?? (fields === undefined ? "no JSON" : "JSON, but no object");
  throw new LineError(`Cannot read line ${number}: it is ${found}, expected an object of JSON`, "line");
}

function idOf({ id }: Record<string, unknown>, line: number): string | number {
  const usable = typeof id === "string"
    ? id.length <= longestId
    : typeof id === "number" && (Number.isSafeInteger(id) || !Number.isInteger(id));
  if (usable) return id as string | number;
  const found = id === undefined
    ? "missing"
    : typeof id === "string"
    ? `a text of ${id.length} characters`
    : id === null
    ? "null"
    : `a ${typeof id}`;
  throw new LineError(
    `Cannot read line ${line}: its id is ${found}, expected a text of at most ${longestId} characters, or a number that ` +
      "JSON keeps, of at most 2^53",
    "line",
  );
}

/** Exactly one of the three that say where the picture is. */
async function sourceOf(
  fields: Record<string, unknown>,
  line: number,
): Promise<Pick<CaptionJob<WorkerLine>, "source"> & { name?: string }> {
  const refuse = (why: string): never => {
    throw new LineError(`Cannot read line ${line}: ${why}`, "line");
  };
  const given = (["path", "url", "base64"] as const).filter((key) => Object.hasOwn(fields, key));
  if (given.length !== 1) {
    refuse(`it has ${given.length === 0 ? "no" : given.join(" and ")}, expected one of path, url, base64`);
  }
  const [key] = given;
  const value = fields[key];
  if (typeof value !== "string" || value === "") return refuse(`its ${key} is no text, or an empty one`);
  if (key === "path") return { source: await fileOf(value, line), name: nameOf(value) };
  if (key === "base64") {
    try {
      return { source: Uint8Array.fromBase64(value) };
    } catch {
      return refuse("its base64 cannot be decoded");
    }
  }
  if (!URL.canParse(value) || !/^https?:$/.test(new URL(value).protocol)) {
    refuse(`its url is ${nameOf(value)}, expected one of http or https`);
  }
  return { source: new URL(value), name: nameOf(value) };
}

/** The file of a path; a pipe or a device, which may have no end, is none. */
async function fileOf(path: string, line: number): Promise<URL> {
  const url = pathToFileURL(path);
  const found = await Deno.stat(url).catch(() => undefined);
  if (found && !found.isFile && !found.isDirectory) {
    throw new LineError(
      `Cannot read line ${line}: its path ${nameOf(path)} is a pipe or a device, expected a file`,
      "line",
    );
  }
  return url;
}

function nameOf(value: string): string {
  return value.length > 256 ? `${value.slice(0, 64)}… (${value.length} characters)` : value;
}
