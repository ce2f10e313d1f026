// The command's other uses by their names, which is all that is known of them until one is given.
import { nearest } from "./_nearest_word.ts";

/** The command's other uses. */
export const commandNames = ["pull", "push", "train", "serve", "worker", "doctor", "cache"] as const;

/** The name of a use. */
export type CommandName = (typeof commandNames)[number];

/** Whether an argument names a use of the command. */
export function isCommand(name: string | undefined): name is CommandName {
  return (commandNames as readonly (string | undefined)[]).includes(name);
}

/**
 * What a first argument most likely stands for that is neither a use of the command nor a file.
 *
 * @returns What to say of it; undefined where it is an option, a file, or like no use's name.
 */
export async function mistyped(name: string | undefined): Promise<string | undefined> {
  if (name === undefined || !/^[a-z]+$/i.test(name)) return undefined;
  const near = nearest(name.toLowerCase(), [...commandNames, "help", "version"]);
  if (near === undefined || !await isMissing(name)) return undefined;
  return `there is no picture ${name}; did you mean ${isCommand(near) ? near : `--${near}`}?`;
}

function isMissing(file: string): Promise<boolean> {
  return Deno.stat(file).then(() => false, (error) => error instanceof Deno.errors.NotFound);
}
