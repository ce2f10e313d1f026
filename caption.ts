#!/usr/bin/env -S deno run -A
/**
 * The command: pictures in, text out. `deno run -A caption.ts --help` lists what it takes.
 *
 * @example
 * ```ts
 * import { main } from "@limner/limner/caption";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(await main(["assets/examples/line.png"]), 0); // prints the text
 * ```
 *
 * @module
 */
import { isCommand, mistyped } from "./src/cli/command_names.ts";
import { parseOptions } from "./src/cli/options.ts";
import { Console, OutputError } from "./src/cli/console.ts";

/**
 * Run the command. Texts go to standard output, everything else to standard error.
 *
 * @param args The command line after the script's name.
 * @returns The exit code: 0 if all was done, 1 if something was not, 2 if the command line is wrong; for a model 3 if it was
 * not found, 4 if it may not be had, 5 if the network failed.
 */
export async function main(args: readonly string[]): Promise<number> {
  const console = new Console();
  const [first, ...rest] = args;
  if (isCommand(first)) return await (await import("./src/cli/commands.ts")).runCommand(first, rest, console);
  const { options, problems } = parseOptions(args);
  const hint = await mistyped(first);
  if (hint !== undefined) problems.splice(0, problems.length, hint);
  for (const problem of problems) console.complain(problem);
  if (problems.length > 0) {
    console.complain("--help lists what the command takes");
    return 2;
  }
  try {
    if (options.help || options.version) {
      const { help, version } = await import("./src/cli/usage.ts");
      return console.print(options.help ? help : `limner ${await version()}\n`) ? 0 : 1;
    }
  } catch (error) {
    if (!(error instanceof OutputError)) throw error;
    console.complain(error.message);
    return 1;
  }
  if (options.recursive) return await (await import("./src/cli/fleet/read_folder.ts")).readFolder(options, console);
  const { startBackend } = await import("./src/cli/start_backend.ts");
  await using backend = await startBackend(options);
  const { readPictures } = await import("./src/cli/read_pictures.ts");
  return await readPictures(options, console, backend);
}

if (import.meta.main) Deno.exit(await main(Deno.args));
