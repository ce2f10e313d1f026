// The command's arguments: what they are called, what they take, and what is said about wrong ones. Imports no model.
import type { DeviceName } from "../graph/mod.ts";
import { parseTable, type ValueForm } from "./_parse.ts";

/** The backends `--backend` takes. */
export const backendNames = ["auto", "ffi", "webgpu", "wasm", "reference"] as const;

/** How `--dtype` lets a backend hold weights. */
export const dtypes = ["float32", "float16", "q8", "q4"] as const;

/** How pictures are read: the model, and how it writes. What reads them in any manner takes these. */
export interface ReadingOptions {
  /** A model's folder, address or name on the Hub; undefined means the embedded model. */
  readonly model: string | undefined;
  /** A branch, tag or commit of a model on the Hub. */
  readonly revision: string | undefined;
  /** Whether no request may be made for the model. */
  readonly offline: boolean;
  /** The file that holds the token for the Hub. */
  readonly tokenFile: string | undefined;
  /** Where the tokenizer and the image processor are, if not with the model. */
  readonly tokenizer: string | undefined;
  readonly processor: string | undefined;
  /** The most pixels a picture may have; undefined leaves it to the library. */
  readonly maxPixels: number | undefined;
  readonly backend: typeof backendNames[number];
  /** How the backend holds the weights; undefined leaves it to the model. */
  readonly dtype: typeof dtypes[number] | undefined;
  /** What ffi runs on; undefined leaves it to the library. */
  readonly device: DeviceName | undefined;
  /** Whether less memory is preferred to speed; undefined leaves it to the library. */
  readonly lowMemory: true | undefined;
  /** The most tokens a text may have; undefined leaves it to the model. */
  readonly maxNewTokens: number | undefined;
  /** The beams to search with; undefined leaves it to the model. */
  readonly beams: number | undefined;
  /** Whether tokens are drawn by chance instead of the best taken. */
  readonly sample: boolean;
  /** Repeats a draw. */
  readonly seed: number | undefined;
  /** What texts begin with; undefined leaves it to the model. */
  readonly prompt: string | undefined;
  /** Whether a text is printed as the JSON of a document; a task or a question asks for it too. */
  readonly document: boolean;
  /** The task of a document. */
  readonly task: string | undefined;
  /** A question about a document. */
  readonly question: string | undefined;
  /** Words of which the model is less sure are marked. */
  readonly minConfidence: number | undefined;
  /** Whether pictures may come from private addresses. */
  readonly allowPrivate: boolean;
  readonly verbose: boolean;
}

/** What the command was asked to do. */
export interface CommandOptions extends ReadingOptions {
  /** Paths and addresses of pictures in the order given; `-` is standard input. With `recursive` the folder alone. */
  readonly pictures: readonly string[];
  /** Whether the pictures of a folder are read, those of its subfolders too, and written to `output`. */
  readonly recursive: boolean;
  /** The file that the texts of a folder are written to. */
  readonly output: string | undefined;
  /** Whether pictures of the folder that could not be read are tried again. */
  readonly retryFailed: boolean;
  /** The page of a TIFF, from 1 on. */
  readonly page: number | undefined;
  /** Whether a text is printed as it is decided. */
  readonly stream: boolean;
  /** Where to draw what the model looked at. */
  readonly attention: string | undefined;
  readonly json: boolean;
  readonly help: boolean;
  readonly version: boolean;
}

/** The flags of reading, however pictures come. */
export const readingFlags = ["offline", "allow-private", "low-memory", "sample", "document", "verbose"] as const;

const flags = [...readingFlags, "recursive", "retry-failed", "stream", "json", "help", "version"] as const;

/** The options about a model on the Hub, which other commands have too. */
export const hubOptions = {
  revision: { form: /./, expected: "a branch, a tag or a commit" },
  "token-file": { form: /./, expected: "the file that holds a token" },
} as const satisfies Record<string, ValueForm>;

/** The options of reading that have a value, however pictures come. */
export const readingValued = {
  model: { form: /./, expected: "a model's folder, address or name on the Hub" },
  ...hubOptions,
  tokenizer: { form: /./, expected: "the folder, address or name on the Hub of a tokenizer" },
  processor: { form: /./, expected: "the folder, address or name on the Hub of an image processor" },
  backend: { form: new RegExp(`^(?:${backendNames.join("|")})$`), expected: `one of ${backendNames.join(", ")}` },
  dtype: { form: new RegExp(`^(?:${dtypes.join("|")})$`), expected: `one of ${dtypes.join(", ")}` },
  device: {
    form: /^(?:cpu|cuda(?::\d{1,3})?|webgpu)$/,
    expected: "one of cpu, cuda, cuda:1 (or another number), webgpu",
  },
  "max-new-tokens": { form: /^[1-9]\d{0,8}$/, expected: "a whole number from 1" },
  "max-pixels": { form: /^[1-9]\d{0,11}$/, expected: "a whole number from 1" },
  beams: { form: /^[1-9]\d{0,3}$/, expected: "a whole number from 1 to 9999" },
  seed: { form: /^\d{1,9}$/, expected: "a whole number from 0" },
  prompt: { form: /./s, expected: "what a text begins with" },
  task: { form: /./, expected: "a document's task, such as cord-v2" },
  question: { form: /./s, expected: "a question about a document" },
  "min-confidence": { form: /^(?:0|1|0?\.\d{1,9}|1\.0{1,9})$/, expected: "a number from 0 to 1, such as 0.8" },
} as const satisfies Record<string, ValueForm>;

const valued = {
  ...readingValued,
  page: { form: /^[1-9]\d{0,5}$/, expected: "a whole number from 1" },
  attention: { form: /[^/\\]\.png$/i, expected: "a file's name that ends in .png" },
  output: {
    form: /[^/\\]\.(?:jsonl|csv|parquet)$/i,
    expected: "a file's name that ends in .jsonl, .csv or .parquet",
  },
} as const satisfies Record<string, ValueForm>;

/** What was given for the options of reading. */
export interface GivenReading {
  readonly flags: Readonly<Record<typeof readingFlags[number], boolean>>;
  readonly values: Readonly<Partial<Record<keyof typeof readingValued, string>>>;
}

/** The options of reading by their names in TypeScript. */
export function readingOptions({ flags, values }: GivenReading): ReadingOptions {
  const number = (name: keyof typeof readingValued) => values[name] ? Number(values[name]) : undefined;
  return {
    ...{ model: values.model, revision: values.revision, tokenFile: values["token-file"] },
    ...{ tokenizer: values.tokenizer, processor: values.processor, maxPixels: number("max-pixels") },
    backend: (values.backend ?? "auto") as ReadingOptions["backend"],
    ...{ dtype: values.dtype as ReadingOptions["dtype"], lowMemory: flags["low-memory"] || undefined },
    device: values.device as ReadingOptions["device"],
    ...{ maxNewTokens: number("max-new-tokens"), beams: number("beams"), seed: number("seed") },
    ...{ prompt: values.prompt, task: values.task, question: values.question },
    minConfidence: number("min-confidence"),
    ...{ offline: flags.offline, allowPrivate: flags["allow-private"], sample: flags.sample, verbose: flags.verbose },
    document: flags.document || values.task !== undefined || values.question !== undefined,
  };
}

/**
 * Parse the command's arguments.
 *
 * @param args The arguments after the script's name.
 * @returns The options and every problem with the arguments, one line each; the options count only if there is none.
 */
export function parseOptions(args: readonly string[]): { options: CommandOptions; problems: string[] } {
  const { rest, flags: set, values, problems } = parseTable(args, flags, valued);
  const options: CommandOptions = {
    ...readingOptions({ flags: set, values }),
    ...{ pictures: rest, recursive: set.recursive, output: values.output, retryFailed: set["retry-failed"] },
    ...{ page: values.page ? Number(values.page) : undefined, attention: values.attention },
    ...{ stream: set.stream, json: set.json, help: set.help, version: set.version },
  };
  problems.push(...readingProblems(options), ...contradictions(options));
  if (!options.help && !options.version) problems.push(...wrongPictures(options, problems.length > 0));
  return { options, problems };
}

/** What contradicts itself in options of reading. */
export function readingProblems(options: ReadingOptions): string[] {
  const { seed, sample, prompt, task, question, model, revision, offline, tokenFile } = options;
  return [
    prompt !== undefined && (task ?? question) !== undefined &&
    "option --prompt says all that the text begins with: leave --task and --question out, or it",
    model === undefined && (revision ?? tokenFile) !== undefined &&
    "options --revision and --token-file need --model NAME: the embedded model is not on the Hub",
    offline && tokenFile !== undefined && "options --offline and --token-file exclude each other",
    seed !== undefined && !sample && "option --seed needs --sample: without it nothing is drawn",
  ].filter((problem) => typeof problem === "string");
}

function contradictions(options: CommandOptions): string[] {
  const { stream, json, beams, document, minConfidence, recursive, output, attention, retryFailed, page } = options;
  return [
    stream && document && "options --stream and --document exclude each other: a document is read of its whole text",
    stream && json && "options --stream and --json exclude each other",
    stream && minConfidence !== undefined &&
    "options --stream and --min-confidence exclude each other: words are marked in a whole text",
    document && !json && !recursive && minConfidence !== undefined &&
    "option --min-confidence needs --json with a document, whose fields are not marked",
    stream && (beams ?? 1) > 1 && "options --stream and --beams exclude each other: beams are decided at the end",
    recursive && output === undefined &&
    "option --recursive needs --output FILE: the texts of a folder are written there",
    !recursive && output !== undefined && "option --output needs --recursive FOLDER",
    !recursive && retryFailed && "option --retry-failed needs --recursive FOLDER",
    recursive && (stream || json || attention !== undefined || page !== undefined) &&
    "option --recursive excludes --stream, --json, --attention and --page",
    minConfidence !== undefined && /\.(?:csv|parquet)$/i.test(output ?? "") &&
    "option --min-confidence needs an --output that ends in .jsonl: a table has no column for words",
  ].filter((problem) => typeof problem === "string");
}

function wrongPictures({ pictures, recursive }: CommandOptions, others: boolean): string[] {
  if (recursive) {
    return pictures.length === 1 && pictures[0] !== "" ? [] : [
      `option --recursive was given ${pictures.length} folders, and one was expected`,
    ];
  }
  return [
    pictures.length === 0 && !others && "no picture was given",
    pictures.filter((picture) => picture === "-").length > 1 &&
    "standard input (-) was given twice, and it can be read once",
    pictures.includes("") && "a picture's name is empty",
  ].filter((problem) => typeof problem === "string");
}
