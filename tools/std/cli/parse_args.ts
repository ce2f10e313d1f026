// parseArgs of @std/cli: the options the command uses, with the real package's names and meaning.

/** The names of the flags, and what to do with those that have none. */
export interface ParseOptions<B extends string = string, S extends string = string> {
  /** Flags that are true or absent. */
  boolean?: readonly B[];
  /** Flags that take a value; `_` keeps positional arguments that look like numbers strings. */
  string?: readonly S[];
  /** Short names by long name. */
  alias?: Readonly<Record<string, string>>;
  /** Called for what has no name; where it returns false, the argument is left out. */
  unknown?: (arg: string, key?: string, value?: unknown) => unknown;
}

/** The flags by name, and in `_` the positional arguments. */
export type Args<B extends string, S extends string> =
  & { [K in Exclude<S, "_">]: string | undefined }
  & { [K in B]: boolean }
  & { _: (string | number)[] };

/**
 * Parse a command line.
 *
 * @param args The arguments, for example `Deno.args`.
 * @param options The names of the flags.
 * @returns The flags and the positional arguments.
 */
export function parseArgs<B extends string = never, S extends string = never>(
  args: string[],
  { boolean = [], string = [], alias = {}, unknown = () => true }: ParseOptions<B, S> = {},
): Args<B, S> {
  const result: Record<string, unknown> & { _: (string | number)[] } = { _: [] };
  const options: Flags = {};
  for (const name of boolean) options[name] = { type: "boolean" };
  for (const name of string) if (name !== "_") options[name] = { type: "string" };
  for (const [name, short] of Object.entries(alias)) if (options[name]) options[name].short = short;
  for (const name of boolean) result[name] = false;

  const keepStrings = (string as readonly string[]).includes("_");
  const positional = (value: string) => keepStrings || isNaN(Number(value)) || value === "" ? value : Number(value);
  const tokens = tokensOf(withEmptyValues(args, options), options);
  let ended = false;
  for (const token of tokens) {
    if (token === "--") {
      ended = true;
    } else if (!("name" in token)) {
      if (ended || unknown(token.value) !== false) result._.push(positional(token.value));
    } else {
      const value = options[token.name]?.type === "string" ? token.value ?? "" : token.value ?? true;
      const arg = token.inlineValue ? `${token.rawName}=${token.value}` : token.rawName;
      if (!options[token.name] && unknown(arg, token.name, value) === false) continue;
      result[token.name] = options[token.name]?.type === "boolean" ? value !== "false" : value;
      const short = alias[token.name];
      if (short) result[short] = result[token.name];
    }
  }
  return result as Args<B, S>;
}

/** The flags by their long names. */
type Flags = Record<string, { type: "boolean" | "string"; short?: string }>;

/** A flag, a positional argument, or the end of the flags. */
type Token =
  | { readonly name: string; readonly rawName: string; readonly value?: string; readonly inlineValue?: boolean }
  | { readonly value: string }
  | "--";

/** Take arguments apart: `--name`, `--name=value`, `-n`, `-nvalue` and `-abc`; a flag of type string takes the next as its value. */
function tokensOf(args: readonly string[], flags: Flags): Token[] {
  const longOf = (short: string) => Object.keys(flags).find((name) => flags[name].short === short) ?? short;
  const takesValue = (name: string) => flags[name]?.type === "string";
  const tokens: Token[] = [];
  const rest = [...args];
  const flag = (name: string, rawName: string) => {
    tokens.push({ name, rawName, value: takesValue(name) ? rest.shift() : undefined });
  };
  for (let arg = rest.shift(); arg !== undefined; arg = rest.shift()) {
    if (arg === "--") return [...tokens, "--", ...rest.map((value) => ({ value }))];
    const equals = arg.indexOf("=", 3);
    if (arg.startsWith("--") && equals > 0) {
      const rawName = arg.slice(0, equals);
      tokens.push({ name: rawName.slice(2), rawName, value: arg.slice(equals + 1), inlineValue: true });
    } else if (arg.startsWith("--")) flag(arg.slice(2), arg);
    else if (!arg.startsWith("-") || arg === "-") tokens.push({ value: arg });
    else if (arg.length === 2) flag(longOf(arg[1]), arg);
    else if (takesValue(longOf(arg[1]))) {
      tokens.push({ name: longOf(arg[1]), rawName: arg.slice(0, 2), value: arg.slice(2), inlineValue: true });
    } else rest.unshift(arg.slice(0, 2), `-${arg.slice(2)}`);
  }
  return tokens;
}

// A flag's value never begins with a dash: `--model --json` is an empty model, then json.
function withEmptyValues(args: string[], options: Flags): string[] {
  const end = args.includes("--") ? args.indexOf("--") : args.length;
  return args.map((arg, i) => {
    const bare = i < end && arg.startsWith("--") && options[arg.slice(2)]?.type === "string";
    return bare && (i + 1 >= end || args[i + 1].startsWith("-")) ? `${arg}=` : arg;
  });
}
