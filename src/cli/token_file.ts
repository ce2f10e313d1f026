// --token-file: a token that is neither in the environment nor on the command line, where others could read it.
import { LimnerError } from "../errors/mod.ts";

/**
 * Read the token that a file holds.
 *
 * @param file The file; undefined where none was given.
 * @throws {LimnerError} If it cannot be read, or does not hold a token alone.
 */
export async function readTokenFile(file: string | undefined): Promise<string | undefined> {
  if (file === undefined) return undefined;
  let token: string;
  try {
    token = (await Deno.readTextFile(file)).trim();
  } catch (error) {
    const reason = error instanceof Deno.errors.NotFound ? "there is no such file" : (error as Error).message;
    throw new LimnerError(`Cannot read the token file ${file}: ${reason}`, { cause: error });
  }
  if (/^[\x21-\x7e]{1,1000}$/.test(token)) return token;
  throw new LimnerError(
    `Cannot use the token file ${file}: it holds ${token ? "more than" : "no"} token, expected one`,
  );
}
