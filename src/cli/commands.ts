// The command's other uses, named by the first argument; a picture of the same name is written ./pull.
import { parseTable, type ValueForm } from "./_parse.ts";
import { formatCount } from "./_units.ts";
import type { CommandName } from "./command_names.ts";
import type { Console } from "./console.ts";
import { describe, exitCodeOf } from "./exit_code.ts";
import { type GivenReading, hubOptions, readingFlags, readingValued } from "./options.ts";
import { serveFlags, serveValued } from "./serve/serve_options.ts";
import { trainFlags, trainValued } from "./train/train_options.ts";
import { commandHelp } from "./usage.ts";

/** A use of the command. */
interface Command {
  /** What its arguments are, and how many there may be. */
  readonly operands: string;
  readonly least: number;
  readonly most: number;
  readonly flags: readonly string[];
  readonly valued: Readonly<Record<string, ValueForm>>;
  readonly run: (given: Given, console: Console) => Promise<number>;
}

/** What was given to a use of the command. */
interface Given {
  readonly operands: readonly string[];
  readonly flags: Readonly<Record<string, boolean>>;
  readonly values: Readonly<Record<string, string | undefined>>;
}

const commands: Readonly<Record<CommandName, Command>> = {
  pull: {
    ...{ operands: "the name of a model on the Hub", least: 1, most: 1, flags: [], valued: hubOptions },
    run: async ({ operands: [name], values }, console) => await (await import("./pull.ts")).pull(name, values, console),
  },
  push: {
    ...{ operands: "a folder and a name on the Hub", least: 2, most: 2, flags: ["private"] },
    valued: { ...hubOptions, message: { form: /./s, expected: "a text" } },
    run: async ({ operands, flags, values }, console) =>
      await (await import("./push.ts")).push(operands, { private: flags.private, values }, console),
  },
  train: {
    ...{ operands: "no argument", least: 0, most: 0, flags: trainFlags, valued: trainValued },
    run: async ({ flags, values }, console) =>
      await (await import("./train/train.ts")).train({ flags, values }, console),
  },
  worker: {
    ...{ operands: "no argument", least: 0, most: 0, flags: readingFlags },
    valued: { ...readingValued, heartbeat: { form: /^[1-9]\d{0,5}$/, expected: "whole seconds from 1" } },
    run: async ({ flags, values }, console) =>
      await (await import("./fleet/worker.ts")).work(
        { flags: flags as GivenReading["flags"], values, heartbeat: values.heartbeat },
        console,
      ),
  },
  serve: {
    ...{ operands: "no argument", least: 0, most: 0, flags: serveFlags, valued: serveValued },
    run: async ({ flags, values }, console) =>
      await (await import("./serve/serve.ts")).serve({ flags, values }, console),
  },
  cache: {
    ...{ operands: "clear or no argument", least: 0, most: 1, flags: [], valued: {} },
    run: async ({ operands: [what] }, console) => await (await import("./cache.ts")).cache(what, console),
  },
  doctor: {
    ...{ operands: "no argument", least: 0, most: 0, flags: ["json"], valued: {} },
    run: async ({ flags: { json } }, console) => await (await import("./doctor/doctor.ts")).doctor(json, console),
  },
};

/**
 * Run a use of the command.
 *
 * @param args The arguments after its name.
 * @returns The exit code: 0 if it did what was asked, 2 if the command line is wrong, else why it failed.
 */
export async function runCommand(name: CommandName, args: readonly string[], console: Console): Promise<number> {
  const { operands, least, most, flags: known, valued, run } = commands[name];
  const { rest, flags, values, problems } = parseTable(args, [...known, "help"], valued);
  if (flags.help && problems.length === 0) return console.print(commandHelp[name]) ? 0 : 1;
  if (problems.length === 0 && (rest.length < least || rest.length > most)) {
    problems.push(`${name} was given ${formatCount(rest.length, "argument")}, and ${operands} was expected`);
  }
  for (const problem of problems) console.complain(problem);
  if (problems.length > 0) {
    console.complain(`${name} --help says what it takes`);
    return 2;
  }
  try {
    return await run({ operands: rest, flags, values }, console);
  } catch (error) {
    console.complain(describe(error));
    return exitCodeOf(error);
  }
}
