// Arguments by a table of what there is: flags, and options that have a value of a form. Every problem is named at once.
import { parseArgs } from "../packages/std_cli.ts";
import { nearest } from "./_nearest_word.ts";

/** An option's value: what it looks like, and what to call that. */
export interface ValueForm {
  readonly form: RegExp;
  /** The smallest and the largest, of numbers. @default any */
  readonly least?: number;
  readonly most?: number;
  readonly expected: string;
}

/** What was given. */
export interface Parsed<F extends string, V extends string> {
  /** What is no option, in the order given. */
  readonly rest: readonly string[];
  readonly flags: Readonly<Record<F, boolean>>;
  readonly values: Readonly<Partial<Record<V, string>>>;
  /** What is wrong, one line each; the options count only if there is nothing. */
  readonly problems: string[];
}

/**
 * Parse arguments.
 *
 * @param args What was typed.
 * @param flags The options without a value; `-h` is `--help`.
 * @param valued Those with one.
 */
export function parseTable<F extends string, V extends string>(
  args: readonly string[],
  flags: readonly F[],
  valued: Readonly<Record<V, ValueForm>>,
): Parsed<F, V> {
  const valuedNames = Object.keys(valued) as V[];
  const problems: string[] = [];
  const { _, ...parsed } = parseArgs([...args], {
    boolean: flags as readonly string[],
    string: [...valuedNames, "_"],
    alias: { help: "h" },
    unknown: (arg, key) => {
      if (key === undefined) return true;
      problems.push(unknownOption(arg, key, [...flags, ...valuedNames]));
      return false;
    },
  }) as Record<string, unknown> & { _: (string | number)[] };
  const values = Object.fromEntries(valuedNames.map((name) => [name, parsed[name]])) as Partial<Record<V, string>>;
  problems.push(...flagsWithValues(args, flags));
  for (const name of valuedNames) problems.push(...wrongValue(name, values[name], valued[name]));
  return {
    rest: _.map(String),
    flags: Object.fromEntries(flags.map((name) => [name, parsed[name]])) as Record<F, boolean>,
    values,
    problems,
  };
}

function unknownOption(arg: string, key: string, known: readonly string[]): string {
  const near = nearest(key, known);
  return `there is no option ${arg.split("=")[0]}${near ? `; did you mean --${near}?` : ""}`;
}

function flagsWithValues(args: readonly string[], flags: readonly string[]): string[] {
  const end = args.indexOf("--");
  return args.slice(0, end < 0 ? args.length : end).flatMap((arg) => {
    const [, name, value] = /^--([^=]+)=(.*)$/s.exec(arg) ?? [];
    return flags.includes(name) ? `option --${name} takes no value, and was given ${value}` : [];
  });
}

function wrongValue(name: string, value: string | undefined, given: ValueForm): string[] {
  if (value === undefined) return [];
  const { form, least, most, expected } = given;
  const within = (least === undefined || Number(value) >= least) && (most === undefined || Number(value) <= most);
  if (form.test(value) && within) return [];
  return [`option --${name} ${value === "" ? "has no value" : `is ${value}`}, and ${expected} was expected`];
}
