// The command's other uses by their names, which is all that is known of them until one is given.

/** The command's other uses. */
export const commandNames = ["pull", "push", "train", "serve", "worker", "doctor", "cache"] as const;

/** The name of a use. */
export type CommandName = (typeof commandNames)[number];

/** Whether an argument names a use of the command. */
export function isCommand(name: string | undefined): name is CommandName {
  return (commandNames as readonly (string | undefined)[]).includes(name);
}
