// The command's arguments: what they are called, what they take, and what is said about wrong ones. Imports no model.
import { parseArgs } from "@std/cli/parse-args";
import { nearest } from "./_nearest.ts";

/** The backends `--backend` takes. */
export const backendNames = ["auto", "ffi", "webgpu", "reference"] as const;

/** What the command was asked to do. */
export interface CommandOptions {
  /** Paths and addresses of pictures in the order given; `-` is standard input. */
  readonly pictures: readonly string[];
  /** A model's folder or address; undefined means the embedded model. */
  readonly model: string | undefined;
  readonly backend: typeof backendNames[number];
  /** The most tokens a text may have; undefined leaves it to the model. */
  readonly maxNewTokens: number | undefined;
  /** The beams to search with; undefined leaves it to the model. */
  readonly beams: number | undefined;
  /** Whether tokens are drawn by chance instead of the best taken. */
  readonly sample: boolean;
  /** Repeats a draw. */
  readonly seed: number | undefined;
  /** Whether a text is printed as it is decided. */
  readonly stream: boolean;
  /** Where to draw what the model looked at. */
  readonly attention: string | undefined;
  readonly json: boolean;
  readonly verbose: boolean;
  readonly help: boolean;
  readonly version: boolean;
}

const booleans = ["sample", "stream", "json", "verbose", "help", "version"] as const;
const strings = ["model", "backend", "max-new-tokens", "beams", "seed", "attention"] as const;
const names: readonly string[] = [...booleans, ...strings];

/**
 * Parse the command's arguments.
 *
 * @param args The arguments after the script's name.
 * @returns The options and every problem with the arguments, one line each; the options count only if there is none.
 */
export function parseOptions(args: readonly string[]): { options: CommandOptions; problems: string[] } {
  const problems: string[] = [];
  const parsed = parseArgs([...args], {
    boolean: booleans,
    string: [...strings, "_"],
    alias: { help: "h" },
    unknown: (arg, key) => {
      if (key === undefined) return true;
      problems.push(unknownOption(arg, key));
      return false;
    },
  });
  for (const name of strings) {
    if (parsed[name] === "") problems.push(`option --${name} has no value, and ${expected[name]} was expected`);
  }
  if (parsed.backend && !(backendNames as readonly string[]).includes(parsed.backend)) {
    problems.push(`option --backend is ${parsed.backend}, and ${expected.backend} was expected`);
  }
  const numbers = { "max-new-tokens": /^[1-9]\d{0,8}$/, beams: /^[1-9]\d{0,3}$/, seed: /^\d{1,9}$/ };
  const [limit, beams, seed] = Object.entries(numbers).map(([name, form]) => {
    const value = parsed[name as keyof typeof numbers];
    if (!value) return undefined;
    if (!form.test(value)) {
      problems.push(`option --${name} is ${value}, and ${expected[name as keyof typeof numbers]} was expected`);
    }
    return Number(value);
  });
  if (seed !== undefined && !parsed.sample) problems.push("option --seed needs --sample: without it nothing is drawn");
  if (parsed.stream && parsed.json) problems.push("options --stream and --json exclude each other");
  if (parsed.stream && (beams ?? 1) > 1) {
    problems.push("options --stream and --beams exclude each other: beams are decided at the end");
  }
  if (parsed.attention && !/[^/\\]\.png$/i.test(parsed.attention)) {
    problems.push(`option --attention is ${parsed.attention}, and ${expected.attention} was expected`);
  }
  const pictures = parsed._.map(String);
  if (!parsed.help && !parsed.version) {
    if (pictures.length === 0 && problems.length === 0) problems.push("no picture was given");
    if (pictures.filter((picture) => picture === "-").length > 1) {
      problems.push("standard input (-) was given twice, and it can be read once");
    }
    if (pictures.includes("")) problems.push("a picture's name is empty");
  }
  return {
    options: {
      pictures,
      model: parsed.model,
      backend: (parsed.backend ?? "auto") as CommandOptions["backend"],
      maxNewTokens: limit,
      beams,
      sample: parsed.sample,
      seed,
      stream: parsed.stream,
      attention: parsed.attention,
      json: parsed.json,
      verbose: parsed.verbose,
      help: parsed.help,
      version: parsed.version,
    },
    problems,
  };
}

const expected = {
  model: "a model's folder or address",
  backend: `one of ${backendNames.join(", ")}`,
  "max-new-tokens": "a whole number from 1",
  beams: "a whole number from 1 to 9999",
  seed: "a whole number from 0",
  attention: "a file's name that ends in .png",
};

function unknownOption(arg: string, key: string): string {
  const near = nearest(key, names);
  return `there is no option ${arg.split("=")[0]}${near ? `; did you mean --${near}?` : ""}`;
}
