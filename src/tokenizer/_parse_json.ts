// JSON.parse with an error that names the file.
import { FormatError } from "../errors.ts";

/**
 * Parse JSON.
 *
 * @param text The text.
 * @param name What messages call the file.
 * @throws {FormatError} If it is not JSON.
 */
export function parseJson(text: string, name: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new FormatError(`Could not read ${name}: it is not JSON (${(error as Error).message})`, { file: name });
  }
}
