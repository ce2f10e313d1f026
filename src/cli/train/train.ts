// `caption.ts train`: a model taught by a folder of pictures and their texts. All that a run needs to be taken up again
// lies in the output's folder: its options (train.json), its log, and the trainer's state.
import { Captioner } from "../../captioner/captioner.ts";
import { LimnerError, OptionError } from "../../errors/mod.ts";
import { isRecord, readJson } from "../../hub/mod.ts";
import { openFolder } from "../../hub/folder_repository.ts";
import { checkFolder } from "../../hub/make_folder.ts";
import { writeJson } from "../../hub/write_json.ts";
import { AutoImageProcessor, type ImageProcessor } from "../../image/mod.ts";
import { AutoTokenizer, type Tokenizer } from "../../tokenizer/mod.ts";
import {
  type DatasetOptions,
  type Evaluation,
  type FitResult,
  ImageTextDataset,
  Trainer,
  type TrainerOptions,
} from "../../training/mod.ts";
import { stepsOf } from "../../training/fit.ts";
import type { Console } from "../console.ts";
import { Progress } from "../progress.ts";
import { quietenDrivers } from "../quiet_drivers.ts";
import { readTokenFile } from "../token_file.ts";
import { checkTrainOptions, numberOf, type TrainOptions } from "./train_options.ts";
import { TrainingProgress } from "./training_progress.ts";

/** What a training is done with. */
interface Parts extends AsyncDisposable {
  readonly trainer: Trainer;
  readonly train: ImageTextDataset;
  readonly test: ImageTextDataset;
}

/** The file of a run's options, and the folders of its trainer's state and of the best adapter. */
const optionsFile = "train.json", stateFolder = "trainer", adapterFolder = "adapter";

/** The most examples that are kept for evaluations where none are given, and their share. */
const mostHeldOut = 200, heldOutShare = 0.1;

/** What is done where nothing else is asked for. */
const defaults = { epochs: 10, batch: 8, learningRate: 5e-5, loraLearningRate: 5e-4, maxGradNorm: 1 };

/**
 * Train a model, and say how many characters it reads wrong before and after.
 *
 * @returns The exit code: 0 if it was trained, 1 if it was interrupted.
 * @throws {LimnerError} If an option cannot be, the output's folder cannot be written, or the model or the data cannot be had.
 */
export async function train(given: TrainOptions, console: Console): Promise<number> {
  checkTrainOptions(given);
  quietenDrivers();
  const output = given.values.output!.replace(/(?<=.)[/\\]+$/, "");
  await refuseFile(output);
  await checkFolder(output);
  const options = given.flags.resume ? await optionsOf(output, given) : given;
  if (!given.flags.resume) await refuseOverwriting(output);
  const progress = new Progress(Deno.stderr.isTerminal());
  const stop = new AbortController();
  const interrupt = () => stop.abort(new LimnerError("interrupted"));
  try {
    // A run that was ended before anything was saved begins again.
    const saved = given.flags.resume && await isThere(`${output}/${stateFolder}`);
    await using parts = await (saved ? resume : begin)(options, output, progress);
    Deno.addSignalListener("SIGINT", interrupt);
    return await run(parts, { options, output, progress, console, signal: stop.signal });
  } finally {
    Deno.removeSignalListener("SIGINT", interrupt);
    progress.stop();
  }
}

/** A run, and where it speaks. */
interface Run {
  readonly options: TrainOptions;
  readonly output: string;
  readonly progress: Progress;
  readonly console: Console;
  readonly signal: AbortSignal;
}

async function run(
  { trainer, train, test }: Parts,
  { options, output, progress, console, signal }: Run,
): Promise<number> {
  const say = (line: string) => progress.above(() => console.say(line));
  const shown = new TrainingProgress(progress, say);
  say(`${train.size} examples to learn from, ${test.size} to measure on, ${trainer.trained.length} parameters trained`);
  const batchSize = numberOf(options, "batch") ?? defaults.batch;
  const adapter = options.values.lora === undefined ? undefined : `${output}/${adapterFolder}`;
  try {
    if (trainer.steps === 0) {
      const evaluation = await trainer.evaluate(test, { batchSize, signal, onProgress: shown.evaluating });
      console.print(`before: ${wordsOf(evaluation)}\n`);
    }
    const result = await trainer.fit(train, {
      ...{ steps: stepsFor(options, train), batchSize, evaluate: test, signal },
      ...{ evaluateEvery: numberOf(options, "eval-every"), patience: numberOf(options, "patience") },
      ...{
        keepBest: adapter ?? output,
        save: `${output}/${stateFolder}`,
        log: `${output}/log.jsonl`,
        plot: `${output}/loss.svg`,
      },
      evaluation: { onProgress: shown.evaluating },
      onStep: shown.step,
      onEvaluation: ({ step, evaluation }) => say(`step ${step}: ${wordsOf(evaluation)}`),
    });
    for (const { name, reason } of [...train.broken, ...test.broken]) say(`left out ${name}: ${reason}`);
    if (adapter) await mergeInto(output, trainer.model, adapter);
    progress.stop();
    console.print(`${after(result)}\n`);
    console.say(`${output} has the model, log.jsonl and loss.svg: caption.ts --model ${output} PICTURE reads with it`);
    return 0;
  } catch (error) {
    if (!signal.aborted) throw error;
    await trainer.save(`${output}/${stateFolder}`);
    say(`interrupted after step ${trainer.steps}: caption.ts train --resume --output ${output} goes on`);
    return 1;
  }
}

/** Write a model with the best adapter in its weights, so that it can be read with as it is. */
async function mergeInto(output: string, model: Trainer["model"], adapter: string): Promise<void> {
  await model.unloadAdapter();
  await model.loadAdapter(adapter);
  await model.mergeAdapters();
  await model.savePretrained(output);
}

/** Load a model and its data, and write down what was asked for. */
async function begin(options: TrainOptions, output: string, progress: Progress): Promise<Parts> {
  const { model: source, revision, backend = "auto", tokenizer, processor } = options.values;
  await using stack = new AsyncDisposableStack();
  const captioner = stack.use(
    await Captioner.load(source, {
      ...{ revision, backend: backend as "auto", tokenizer, processor },
      token: await readTokenFile(options.values["token-file"]),
      onProgress: ({ stage, done, total }) => progress.show(stage, total ? done : 0, total ?? 1),
    }),
  );
  const data = await readData(options, captioner);
  const trainer = stack.use(await Trainer.create(captioner.model, trainerOptions(options, data.train, captioner)));
  await captioner.tokenizer.savePretrained(output);
  await captioner.processor.savePretrained(output);
  await writeJson(output, optionsFile, options);
  const owned = stack.move();
  return { trainer, ...data, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

/** Take a run up again. */
async function resume(options: TrainOptions, output: string): Promise<Parts> {
  const [tokenizer, processor] = [
    await AutoTokenizer.fromPretrained(output),
    await AutoImageProcessor.fromPretrained(output),
  ];
  const data = await readData(options, { tokenizer, processor });
  const backend = (options.values.backend ?? "auto") as "auto";
  const trainer = await Trainer.resume(`${output}/${stateFolder}`, { backend });
  return { trainer, ...data, [Symbol.asyncDispose]: () => trainer[Symbol.asyncDispose]() };
}

/** The data to learn from and to measure on; where no other is given, a tenth is kept for that. */
async function readData(
  options: TrainOptions,
  { tokenizer, processor }: { readonly tokenizer: Tokenizer; readonly processor: ImageProcessor },
): Promise<Pick<Parts, "train" | "test">> {
  const { data, eval: other, model } = options.values;
  const reading: DatasetOptions & { imageColumn?: string; textColumn?: string } = {
    ...{ tokenizer, processor, seed: numberOf(options, "seed") },
    ...{ imageColumn: options.values["image-column"], textColumn: options.values["text-column"] },
    onBroken: options.flags["skip-broken"] ? "skip" : "throw",
    maxLength: numberOf(options, "max-length"),
    // The embedded model writes no start token.
    addSpecialTokens: !options.flags["no-start-token"] && model !== undefined,
  };
  const train = await ImageTextDataset.fromFolder(data!, reading);
  if (other !== undefined) return { train, test: await ImageTextDataset.fromFolder(other, reading) };
  if (train.size < 2) throw new OptionError(`${data} has one example: give others to measure on, with --eval FOLDER`);
  const [test, rest] = train.split(Math.max(1, Math.min(mostHeldOut, Math.round(train.size * heldOutShare))));
  return { train: rest, test };
}

function stepsFor(options: TrainOptions, train: ImageTextDataset): number {
  const batch = numberOf(options, "batch") ?? defaults.batch;
  const epochs = numberOf(options, "epochs") ?? defaults.epochs;
  return numberOf(options, "steps") ?? stepsOf(epochs, train, batch, numberOf(options, "accumulate"));
}

function trainerOptions(options: TrainOptions, train: ImageTextDataset, { model }: Captioner): TrainerOptions {
  const { schedule = "linear", freeze } = options.values;
  const rank = numberOf(options, "lora");
  const frozen = freeze?.split(",").map((name) => name.trim().replace(/\.$/, ""));
  const isFrozen = (name: string, beginning: string) => name === beginning || name.startsWith(`${beginning}.`);
  const parameters = [...model.namedParameters().keys()];
  const unknown = frozen?.find((beginning) => !parameters.some((name) => isFrozen(name, beginning)));
  if (unknown !== undefined) {
    throw new OptionError(
      `option --freeze is ${unknown}, and no parameter's name begins with it; one is ${parameters[0]}`,
    );
  }
  return {
    learningRate: numberOf(options, "lr") ?? (rank ? defaults.loraLearningRate : defaults.learningRate),
    schedule: schedule as TrainerOptions["schedule"],
    totalSteps: stepsFor(options, train),
    warmupSteps: numberOf(options, "warmup"),
    weightDecay: numberOf(options, "weight-decay") ?? 0,
    decay: "transformers",
    maxGradNorm: numberOf(options, "max-grad-norm") ?? defaults.maxGradNorm,
    gradientAccumulation: numberOf(options, "accumulate"),
    labelSmoothing: numberOf(options, "label-smoothing"),
    seed: numberOf(options, "seed"),
    checkpoint: options.flags.checkpoint,
    ...(frozen && { frozen: (name: string) => frozen.some((beginning) => isFrozen(name, beginning)) }),
    ...(rank && { lora: { rank, alpha: 2 * rank, targets: "all-linear" as const } }),
  };
}

/** The options that a run began with. */
async function optionsOf(output: string, { values: { backend } }: TrainOptions): Promise<TrainOptions> {
  const options = await isThere(output) ? await readJson(await openFolder(output), optionsFile) : undefined;
  if (!options || !isRecord(options.values) || !isRecord(options.flags)) {
    throw new OptionError(`option --resume found no run in ${output}: it has no ${optionsFile}`);
  }
  const values = { ...options.values, ...(backend && { backend }) };
  return { values, flags: options.flags } as TrainOptions;
}

/** @throws {OptionError} If what should be the output's folder is a file. */
async function refuseFile(output: string): Promise<void> {
  if (!(await Deno.stat(output).catch(() => undefined))?.isFile) return;
  throw new OptionError(`option --output is ${output}, which is a file, and a folder was expected`);
}

/** @throws {OptionError} If the output's folder has a run already. */
async function refuseOverwriting(output: string): Promise<void> {
  if (!await isThere(`${output}/${optionsFile}`)) return;
  throw new OptionError(`option --output is ${output}, which has a run already: --resume goes on with it`);
}

/** @throws {LimnerError} If the system does not say. */
async function isThere(path: string): Promise<boolean> {
  try {
    await Deno.stat(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw new LimnerError(`Cannot look for ${path}: ${(error as Error).message}`, { cause: error });
  }
}

function wordsOf({ loss, characterErrorRate, wordErrorRate, exactMatch }: Evaluation): string {
  const percent = (share: number) => `${(share * 100).toFixed(1)} %`;
  return `character error rate ${percent(characterErrorRate)}, word error rate ${percent(wordErrorRate)}, ` +
    `without error ${percent(exactMatch)}, loss ${loss.toFixed(4)}`;
}

function after({ best, stopped, steps }: FitResult): string {
  const { step, evaluation } = best!;
  const why = stopped === "patience" ? ", which ended as it got no better" : "";
  return `after: ${wordsOf(evaluation)} (step ${step} of ${steps}${why})`;
}
