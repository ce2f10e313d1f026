// `caption.ts push FOLDER NAME`: a model's folder onto the Hub.
import { pushModel } from "../model/push_model.ts";
import type { Console } from "./console.ts";
import { readTokenFile } from "./token_file.ts";

/**
 * Upload a folder, and print the commit's page.
 *
 * @returns The exit code 0.
 * @throws {LimnerError} If it cannot be uploaded.
 */
export async function push(
  [folder, name]: readonly string[],
  given: { readonly private: boolean; readonly values: Readonly<Record<string, string | undefined>> },
  console: Console,
): Promise<number> {
  const { url } = await pushModel(folder, name, {
    revision: given.values.revision,
    token: await readTokenFile(given.values["token-file"]),
    message: given.values.message,
    private: given.private,
  });
  console.print(`${url}\n`);
  return 0;
}
