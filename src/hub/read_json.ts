// Reading JSON, with errors that name the file.
import { FormatError } from "../errors/mod.ts";
import type { Repository } from "./repository.ts";

/** Whether a value is a JSON object: neither null nor an array. */
export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Strings, and what Python's json writes for numbers that JSON does not have. */
const textOrNumber = /"[^"\\]*(?:\\.[^"\\]*)*"|(?<![\w.])(?:-?Infinity|NaN(?!\s*:))/gs;

/** Stands for NaN, which JSON does not have; no file contains this string. */
const notANumber = "\0NaN\uffff";

/**
 * Parse JSON, with the NaN, Infinity and -Infinity that Python's json writes.
 *
 * @param text The text.
 * @param file What messages call the file.
 * @throws {FormatError} If it is not JSON, or nested more than 128 deep.
 */
export function parseJson(text: string, file: string): unknown {
  refuseDeepNesting(text, file);
  try {
    return JSON.parse(text);
  } catch (error) {
    const parsed = /NaN|Infinity/.test(text) ? parseWithNumbers(text) : undefined;
    if (parsed !== undefined) return parsed;
    const reason = (error as Error).message.slice(0, 200);
    throw new FormatError(`Cannot read ${file}: it is not JSON: ${reason}`, { file });
  }
}

/** The deepest nesting of lists and objects that is read: that of Rust's serde_json, which reads tokenizer.json for Python. */
const deepest = 128;

/** Refuse what is nested so deeply that functions that follow the nesting would run out of stack. */
function refuseDeepNesting(text: string, file: string): void {
  let depth = 0;
  for (let at = 0; at < text.length; at++) {
    const unit = text.charCodeAt(at);
    if (unit === 0x22) { // a string, to its end
      for (at++; at < text.length && text.charCodeAt(at) !== 0x22; at++) if (text.charCodeAt(at) === 0x5c) at++;
    } else if (unit === 0x5b || unit === 0x7b) {
      if (++depth > deepest) {
        throw new FormatError(
          `Cannot read ${file}: its lists and objects are nested more than ${deepest} deep, at character ${at}`,
          { file, offset: at },
        );
      }
    } else if (unit === 0x5d || unit === 0x7d) depth--;
  }
}

function parseWithNumbers(text: string): unknown {
  const spelled = text.replace(textOrNumber, (found) => {
    if (found.startsWith('"')) return found;
    return found === "NaN" ? JSON.stringify(notANumber) : found.replace("Infinity", "1e999");
  });
  try {
    return JSON.parse(spelled, (_, value) => value === notANumber ? NaN : value);
  } catch {
    return undefined; // the caller reports what is wrong with the original text
  }
}

/**
 * Read a JSON object of a repository.
 *
 * @returns The object, or undefined if there is no such file.
 * @throws {FormatError} If the file is not a JSON object.
 */
export async function readJson(
  repository: Pick<Repository, "name" | "readText">,
  file: string,
): Promise<Record<string, unknown> | undefined> {
  const text = await repository.readText(file);
  if (text === undefined) return undefined;
  const name = `${repository.name}/${file}`;
  const value = parseJson(text, name);
  if (isRecord(value)) return value;
  const found = Array.isArray(value) ? "an array" : value === null ? "null" : `a ${typeof value}`;
  throw new FormatError(`Cannot read ${name}: it is ${found}, expected a JSON object`, { file: name });
}
