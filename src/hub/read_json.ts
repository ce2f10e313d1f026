// Reading JSON, with errors that name the file.
import { FormatError } from "../errors.ts";
import type { Repository } from "./repository_interface.ts";

/** Whether a value is a JSON object: neither null nor an array. */
export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/**
 * Parse JSON.
 *
 * @param text The text.
 * @param file What messages call the file.
 * @throws {FormatError} If it is not JSON.
 */
export function parseJson(text: string, file: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    const reason = (error as Error).message.slice(0, 200);
    throw new FormatError(`Cannot read ${file}: it is not JSON: ${reason}`, { file });
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
