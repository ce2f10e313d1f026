// The command's arguments: what they are called, what they take, and what is said about wrong ones. Imports no model.
import { parseTable, type ValueForm } from "./_parse.ts";

/** The backends `--backend` takes. */
export const backendNames = ["auto", "ffi", "webgpu", "reference"] as const;

/** How `--dtype` lets a backend hold weights. */
export const dtypes = ["float32", "float16", "q8", "q4"] as const;

/** What the command was asked to do. */
export interface CommandOptions {
  /** Paths and addresses of pictures in the order given; `-` is standard input. */
  readonly pictures: readonly string[];
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
  /** The page of a TIFF, from 1 on. */
  readonly page: number | undefined;
  readonly backend: typeof backendNames[number];
  /** How the backend holds the weights; undefined leaves it to the model. */
  readonly dtype: typeof dtypes[number] | undefined;
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
  /** Words of which the model is less sure are marked. */
  readonly minConfidence: number | undefined;
  /** Where to draw what the model looked at. */
  readonly attention: string | undefined;
  /** Whether pictures may come from private addresses. */
  readonly allowPrivate: boolean;
  readonly json: boolean;
  readonly verbose: boolean;
  readonly help: boolean;
  readonly version: boolean;
}

const flags = [
  "offline",
  "allow-private",
  "low-memory",
  "sample",
  "stream",
  "document",
  "json",
  "verbose",
  "help",
  "version",
] as const;

/** The options about a model on the Hub, which other commands have too. */
export const hubOptions = {
  revision: { form: /./, expected: "a branch, a tag or a commit" },
  "token-file": { form: /./, expected: "the file that holds a token" },
} as const satisfies Record<string, ValueForm>;

/** The options that have a value, and which. */
const valued = {
  model: { form: /./, expected: "a model's folder, address or name on the Hub" },
  ...hubOptions,
  tokenizer: { form: /./, expected: "the folder, address or name on the Hub of a tokenizer" },
  processor: { form: /./, expected: "the folder, address or name on the Hub of an image processor" },
  backend: { form: new RegExp(`^(?:${backendNames.join("|")})$`), expected: `one of ${backendNames.join(", ")}` },
  dtype: { form: new RegExp(`^(?:${dtypes.join("|")})$`), expected: `one of ${dtypes.join(", ")}` },
  "max-new-tokens": { form: /^[1-9]\d{0,8}$/, expected: "a whole number from 1" },
  page: { form: /^[1-9]\d{0,5}$/, expected: "a whole number from 1" },
  "max-pixels": { form: /^[1-9]\d{0,11}$/, expected: "a whole number from 1" },
  beams: { form: /^[1-9]\d{0,3}$/, expected: "a whole number from 1 to 9999" },
  seed: { form: /^\d{1,9}$/, expected: "a whole number from 0" },
  prompt: { form: /./s, expected: "what a text begins with" },
  task: { form: /./, expected: "a document's task, such as cord-v2" },
  question: { form: /./s, expected: "a question about a document" },
  "min-confidence": { form: /^(?:0|1|0?\.\d{1,9}|1\.0{1,9})$/, expected: "a number from 0 to 1, such as 0.8" },
  attention: { form: /[^/\\]\.png$/i, expected: "a file's name that ends in .png" },
} as const satisfies Record<string, ValueForm>;

/**
 * Parse the command's arguments.
 *
 * @param args The arguments after the script's name.
 * @returns The options and every problem with the arguments, one line each; the options count only if there is none.
 */
export function parseOptions(args: readonly string[]): { options: CommandOptions; problems: string[] } {
  const { rest, flags: { "allow-private": allowPrivate, "low-memory": lowMemory, ...set }, values, problems } =
    parseTable(args, flags, valued);
  const number = (name: keyof typeof valued) => values[name] ? Number(values[name]) : undefined;
  const options: CommandOptions = {
    pictures: rest,
    model: values.model,
    revision: values.revision,
    tokenFile: values["token-file"],
    tokenizer: values.tokenizer,
    processor: values.processor,
    maxPixels: number("max-pixels"),
    page: number("page"),
    backend: (values.backend ?? "auto") as CommandOptions["backend"],
    dtype: values.dtype as CommandOptions["dtype"],
    lowMemory: lowMemory || undefined,
    maxNewTokens: number("max-new-tokens"),
    beams: number("beams"),
    seed: number("seed"),
    prompt: values.prompt,
    task: values.task,
    question: values.question,
    minConfidence: number("min-confidence"),
    attention: values.attention,
    allowPrivate,
    ...set,
    document: set.document || values.task !== undefined || values.question !== undefined,
  };
  problems.push(...contradictions(options));
  if (!options.help && !options.version) problems.push(...wrongPictures(options, problems.length > 0));
  return { options, problems };
}

function contradictions(options: CommandOptions): string[] {
  const { seed, sample, stream, json, beams, document, prompt, task, question } = options;
  const { model, revision, offline, tokenFile, minConfidence } = options;
  return [
    stream && document && "options --stream and --document exclude each other: a document is read of its whole text",
    prompt !== undefined && (task ?? question) !== undefined &&
    "option --prompt says all that the text begins with: leave --task and --question out, or it",
    model === undefined && (revision ?? tokenFile) !== undefined &&
    "options --revision and --token-file need --model NAME: the embedded model is not on the Hub",
    offline && tokenFile !== undefined && "options --offline and --token-file exclude each other",
    seed !== undefined && !sample && "option --seed needs --sample: without it nothing is drawn",
    stream && json && "options --stream and --json exclude each other",
    stream && minConfidence !== undefined &&
    "options --stream and --min-confidence exclude each other: words are marked in a whole text",
    document && !json && minConfidence !== undefined &&
    "option --min-confidence needs --json with a document, whose fields are not marked",
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
