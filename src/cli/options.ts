// The command's arguments: what they are called, what they take, and what is said about wrong ones. Imports no model.
import { parseArgs } from "../packages/std_cli.ts";
import { nearest } from "./_nearest.ts";

/** The backends `--backend` takes. */
export const backendNames = ["auto", "ffi", "webgpu", "reference"] as const;

/** What the command was asked to do. */
export interface CommandOptions {
  /** Paths and addresses of pictures in the order given; `-` is standard input. */
  readonly pictures: readonly string[];
  /** A model's folder or address; undefined means the embedded model. */
  readonly model: string | undefined;
  /** Where the tokenizer and the image processor are, if not with the model. */
  readonly tokenizer: string | undefined;
  readonly processor: string | undefined;
  /** The most pixels a picture may have; undefined leaves it to the library. */
  readonly maxPixels: number | undefined;
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
  /** What texts begin with; undefined leaves it to the model. */
  readonly prompt: string | undefined;
  /** Whether a text is printed as the JSON of a document; a task or a question asks for it too. */
  readonly document: boolean;
  /** The task of a document. */
  readonly task: string | undefined;
  /** A question about a document. */
  readonly question: string | undefined;
  /** Where to draw what the model looked at. */
  readonly attention: string | undefined;
  readonly json: boolean;
  readonly verbose: boolean;
  readonly help: boolean;
  readonly version: boolean;
}

const flags = ["sample", "stream", "document", "json", "verbose", "help", "version"] as const;

/** The options that have a value, and which. */
const valued = {
  model: { form: /./, expected: "a model's folder or address" },
  tokenizer: { form: /./, expected: "the folder or address of a tokenizer" },
  processor: { form: /./, expected: "the folder or address of an image processor" },
  backend: { form: new RegExp(`^(?:${backendNames.join("|")})$`), expected: `one of ${backendNames.join(", ")}` },
  "max-new-tokens": { form: /^[1-9]\d{0,8}$/, expected: "a whole number from 1" },
  "max-pixels": { form: /^[1-9]\d{0,11}$/, expected: "a whole number from 1" },
  beams: { form: /^[1-9]\d{0,3}$/, expected: "a whole number from 1 to 9999" },
  seed: { form: /^\d{1,9}$/, expected: "a whole number from 0" },
  prompt: { form: /./s, expected: "what a text begins with" },
  task: { form: /./, expected: "a document's task, such as cord-v2" },
  question: { form: /./s, expected: "a question about a document" },
  attention: { form: /[^/\\]\.png$/i, expected: "a file's name that ends in .png" },
} as const satisfies Record<string, { form: RegExp; expected: string }>;

type Valued = keyof typeof valued;
const valuedNames = Object.keys(valued) as Valued[];

/**
 * Parse the command's arguments.
 *
 * @param args The arguments after the script's name.
 * @returns The options and every problem with the arguments, one line each; the options count only if there is none.
 */
export function parseOptions(args: readonly string[]): { options: CommandOptions; problems: string[] } {
  const problems: string[] = [];
  const { _, ...parsed } = parseArgs([...args], {
    boolean: flags,
    string: [...valuedNames, "_"],
    alias: { help: "h" },
    unknown: (arg, key) => {
      if (key === undefined) return true;
      problems.push(unknownOption(arg, key));
      return false;
    },
  });
  problems.push(...flagsWithValues(args), ...valuedNames.flatMap((name) => wrongValue(name, parsed[name])));
  const number = (name: Valued) => parsed[name] ? Number(parsed[name]) : undefined;
  const options: CommandOptions = {
    pictures: _.map(String),
    model: parsed.model,
    tokenizer: parsed.tokenizer,
    processor: parsed.processor,
    maxPixels: number("max-pixels"),
    backend: (parsed.backend ?? "auto") as CommandOptions["backend"],
    maxNewTokens: number("max-new-tokens"),
    beams: number("beams"),
    sample: parsed.sample,
    seed: number("seed"),
    stream: parsed.stream,
    prompt: parsed.prompt,
    document: parsed.document || parsed.task !== undefined || parsed.question !== undefined,
    task: parsed.task,
    question: parsed.question,
    attention: parsed.attention,
    json: parsed.json,
    verbose: parsed.verbose,
    help: parsed.help,
    version: parsed.version,
  };
  problems.push(...contradictions(options));
  if (!options.help && !options.version) problems.push(...wrongPictures(options, problems.length > 0));
  return { options, problems };
}

function unknownOption(arg: string, key: string): string {
  const near = nearest(key, [...flags, ...valuedNames]);
  return `there is no option ${arg.split("=")[0]}${near ? `; did you mean --${near}?` : ""}`;
}

function flagsWithValues(args: readonly string[]): string[] {
  const end = args.indexOf("--");
  return args.slice(0, end < 0 ? args.length : end).flatMap((arg) => {
    const [, name, value] = /^--([^=]+)=(.*)$/s.exec(arg) ?? [];
    return (flags as readonly string[]).includes(name) ? `option --${name} takes no value, and was given ${value}` : [];
  });
}

function wrongValue(name: Valued, value: string | undefined): string[] {
  const { form, expected } = valued[name];
  if (value === undefined || form.test(value)) return [];
  return [`option --${name} ${value === "" ? "has no value" : `is ${value}`}, and ${expected} was expected`];
}

function contradictions(
  { seed, sample, stream, json, beams, document, prompt, task, question }: CommandOptions,
): string[] {
  return [
    stream && document && "options --stream and --document exclude each other: a document is read of its whole text",
    prompt !== undefined && (task ?? question) !== undefined &&
    "option --prompt says all that the text begins with: leave --task and --question out, or it",
    seed !== undefined && !sample && "option --seed needs --sample: without it nothing is drawn",
    stream && json && "options --stream and --json exclude each other",
    stream && (beams ?? 1) > 1 && "options --stream and --beams exclude each other: beams are decided at the end",
  ].filter((problem) => typeof problem === "string");
}

function wrongPictures({ pictures }: CommandOptions, others: boolean): string[] {
  return [
    pictures.length === 0 && !others && "no picture was given",
    pictures.filter((picture) => picture === "-").length > 1 &&
    "standard input (-) was given twice, and it can be read once",
    pictures.includes("") && "a picture's name is empty",
  ].filter((problem) => typeof problem === "string");
}
