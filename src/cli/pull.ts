// `caption.ts pull NAME`: a model of the Hub into the cache, so that it is there without a network.
import { pullModel } from "../captioner/pull_model.ts";
import type { Console } from "./console.ts";
import { Downloads } from "./downloads.ts";
import { readTokenFile } from "./token_file.ts";

/**
 * Fetch a model, and print the folder that has it.
 *
 * @returns The exit code 0.
 * @throws {LimnerError} If it cannot be had.
 */
export async function pull(
  name: string,
  values: Readonly<Record<string, string | undefined>>,
  console: Console,
): Promise<number> {
  const downloads = new Downloads(Deno.stderr.isTerminal(), (line) => console.say(line));
  try {
    const { folder, lacks } = await pullModel(name, {
      revision: values.revision,
      token: await readTokenFile(values["token-file"]),
      onProgress: ({ file, done, total }) => downloads.show(file, done, total),
    });
    downloads.stop();
    for (const lack of lacks) console.say(`note: ${lack}`);
    console.print(`${folder}\n`);
    return 0;
  } finally {
    downloads.stop();
  }
}
