// The options of `caption.ts train`: what they take, and what they are where they are not given.
import type { ValueForm } from "../_parse.ts";
import { OptionError } from "../../errors/mod.ts";
import { backendNames, hubOptions } from "../options.ts";

const whole: ValueForm = { form: /^[1-9]\d{0,8}$/, expected: "a whole number from 1" };
const wholeFromZero: ValueForm = { form: /^\d{1,9}$/, expected: "a whole number from 0" };
const number = /^(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d{1,3})?$/i;
const above: ValueForm = {
  form: number,
  least: Number.MIN_VALUE,
  most: Number.MAX_VALUE,
  expected: "a number above 0, such as 5e-5",
};
const share: ValueForm = { form: /^(?:0|0?\.\d{1,9})$/, expected: "a number from 0 to less than 1" };
const folder: ValueForm = { form: /./, expected: "a folder" };
const column: ValueForm = { form: /./, expected: "a column's name" };

/** The options that have a value. */
export const trainValued = {
  model: { form: /./, expected: "a model's folder, address or name on the Hub" },
  ...hubOptions,
  tokenizer: { form: /./, expected: "the folder, address or name on the Hub of a tokenizer" },
  processor: { form: /./, expected: "the folder, address or name on the Hub of an image processor" },
  backend: { form: new RegExp(`^(?:${backendNames.join("|")})$`), expected: `one of ${backendNames.join(", ")}` },
  data: folder,
  eval: folder,
  output: folder,
  "image-column": column,
  "text-column": column,
  "max-length": whole,
  epochs: whole,
  steps: whole,
  batch: whole,
  accumulate: whole,
  lr: above,
  schedule: { form: /^(?:constant|linear|cosine)$/, expected: "one of constant, linear, cosine" },
  warmup: wholeFromZero,
  "weight-decay": { form: number, most: Number.MAX_VALUE, expected: "a number from 0" },
  "max-grad-norm": above,
  "label-smoothing": share,
  lora: whole,
  freeze: { form: /./, expected: "the beginning of parameters' names, such as encoder" },
  seed: wholeFromZero,
  "eval-every": whole,
  patience: whole,
} as const satisfies Record<string, ValueForm>;

/** The options without a value. */
export const trainFlags = ["resume", "skip-broken", "no-start-token", "checkpoint"] as const;

/** The options that a run which is taken up again may be given: all others are the run's own. */
const ofResuming = ["output", "resume", "backend", "token-file"];

/** What a training was asked to do. */
export interface TrainOptions {
  readonly values: Readonly<Partial<Record<keyof typeof trainValued, string>>>;
  readonly flags: Readonly<Partial<Record<typeof trainFlags[number], boolean>>>;
}

/** The number that an option is. */
export function numberOf({ values }: TrainOptions, name: keyof typeof trainValued): number | undefined {
  return values[name] === undefined ? undefined : Number(values[name]);
}

/** @throws {OptionError} If options are missing, or exclude one another. */
export function checkTrainOptions({ values, flags }: TrainOptions): void {
  const given = [...Object.entries(values), ...Object.entries(flags)].filter(([, value]) => value).map(([name]) =>
    name
  );
  const other = flags.resume ? given.find((name) => !ofResuming.includes(name)) : undefined;
  const problem = values.output === undefined
    ? "option --output is missing: the folder that the model is written to"
    : other
    ? `option --${other} cannot be given with --resume: a run that is taken up again has the options that it began with`
    : flags.resume
    ? undefined
    : values.data === undefined
    ? "option --data is missing: the folder of pictures with their texts"
    : values.epochs !== undefined && values.steps !== undefined
    ? "options --epochs and --steps exclude each other"
    : values.model === undefined && values.revision !== undefined
    ? "option --revision needs --model NAME: the embedded model is not on the Hub"
    : undefined;
  if (problem) throw new OptionError(problem);
}
