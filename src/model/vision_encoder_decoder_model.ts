// The model a user holds: a configuration, weights on a backend, and what can be done with them.
// Calls are queued and run one after another, so several may be under way at once.
import { CallQueue } from "../async/call_queue.ts";
import { explained } from "../errors/explained.ts";
import {
  decode,
  type GenerateOptions,
  type GenerateOutput,
  type GenerationConfig,
  resolveGeneration,
} from "../generation/mod.ts";
import type { Backend } from "../graph/mod.ts";
import { nameOf, openRepository, type Repository, type RepositoryOptions } from "../hub/mod.ts";
import type { Limits } from "../limits/mod.ts";
import type { VisionEncoderDecoderConfig } from "../models/mod.ts";
import type { DataType, Tensor } from "../tensor/mod.ts";
import type { ForwardOutput } from "./forward.ts";
import { checkPictures, describePictures, type ForwardInputs } from "./forward_inputs.ts";
import { checkLoadOptions, fetchingOptions, type LoadOptions } from "./load_options.ts";
import { joinedDefinition, newDefinition, readDefinition, type ReadsDefinition } from "./model_definition.ts";
import { ModelCore, type ModelParts } from "./model_core.ts";
import { placeModel } from "./place_model.ts";
import { subjectOf } from "./generation_subject.ts";
import type { SaveAndPushOptions } from "./push_model.ts";
import { yieldingStreamer } from "./yielding_streamer.ts";

/** The parts of a model, which its users have no need of. */
export let partsOf: (model: VisionEncoderDecoderModel) => ModelParts;

/**
 * A vision encoder and a text decoder, as transformers.VisionEncoderDecoderModel.
 *
 * @example
 * ```ts
 * import { Tensor, VisionEncoderDecoderModel } from "@limner/limner";
 * import { assertEquals } from "@std/assert";
 *
 * await using model = await VisionEncoderDecoderModel.fromPretrained("assets/model", { backend: "reference" });
 * const white = new Tensor("float32", [1, 3, 32, 512], new Float32Array(3 * 32 * 512).fill(1));
 * const { sequences } = await model.generate(white, { maxNewTokens: 2 });
 * assertEquals(sequences[0][0], model.generationConfig.decoder_start_token_id);
 * ```
 */
export class VisionEncoderDecoderModel implements AsyncDisposable {
  readonly #core: ModelCore;
  readonly #options: LoadOptions;
  readonly #ownsBackend: boolean;
  readonly #calls = new CallQueue();

  static {
    partsOf = (model) => model.#core.parts(model.#calls, model.#options);
  }

  private constructor(
    /** Its fields may be set and are read at each call. */
    readonly config: VisionEncoderDecoderConfig,
    /** Settings of `generate`, with generation_config.json's keys; they may be set and are read at each call. */
    readonly generationConfig: GenerationConfig,
    core: ModelCore,
    options: LoadOptions,
  ) {
    this.#core = core;
    this.#options = options;
    this.#ownsBackend = typeof options.backend !== "object";
  }

  /** The backend the model runs on. */
  get backend(): Backend {
    return this.#core.runner.backend;
  }

  /**
   * Load a model from its published files.
   *
   * @param source A folder in Hugging Face's layout, its web address, or a model's name on the Hub.
   * @throws {HubError} If there is no such model, or it has no weights.
   * @throws {ConfigError} If config.json is missing or does not describe a model Limner knows.
   * @throws {FormatError} If a file is malformed, or a weight is missing.
   * @throws {ShapeError} If a weight's shape is not what config.json says.
   * @throws {BackendError} If the backend cannot run here.
   */
  static fromPretrained(
    source: string | URL | Repository,
    options: LoadOptions = {},
  ): Promise<VisionEncoderDecoderModel> {
    const task = `load the model of ${nameOf(source)}`;
    return VisionEncoderDecoderModel.#load(task, options, [], (backend) => readDefinition(source, backend, options));
  }

  /**
   * Make a model with new parameters, by Hugging Face's rules of initialisation.
   *
   * @param config A configuration of the whole; what it leaves out is as its families have it.
   * @param options.seed Makes the random numbers: the same seed, the same model. @default 0
   * @throws {ConfigError} If the configuration does not describe a model Limner knows.
   * @throws {BackendError} If the backend cannot run here.
   */
  static fromConfig(
    config: VisionEncoderDecoderConfig | Readonly<Record<string, unknown>>,
    options: LoadOptions & { readonly seed?: number } = {},
  ): Promise<VisionEncoderDecoderModel> {
    const task = "make a model of this configuration";
    return VisionEncoderDecoderModel.#load(task, options, ["seed"], () => newDefinition(config, options));
  }

  /**
   * Make a model of two checkpoints. What neither has, such as the cross-attention of a masked language model, is new
   * and listed in `newlyInitialized`.
   *
   * @param encoder The folder, web address or name on the Hub of a vision encoder, with or without a head.
   * @param decoder That of a language model: causal, masked, for pretraining, or sequence to sequence, whose decoder is
   * taken.
   * @param options.seed Makes the random numbers of new parameters. @default 0
   * @param options.encoderOverrides Fields that differ from the encoder's config.json.
   * @param options.decoderOverrides Fields that differ from the decoder's config.json.
   * @throws {HubError} If there is no such folder, or it has no weights.
   * @throws {ConfigError} If one of them is of a family that Limner does not know as encoder or as decoder.
   * @throws {ShapeError} If a weight's shape is not what its config.json says.
   */
  static fromEncoderDecoderPretrained(
    encoder: string | URL,
    decoder: string | URL,
    options: LoadOptions & {
      readonly seed?: number;
      readonly encoderOverrides?: object;
      readonly decoderOverrides?: object;
    } = {},
  ): Promise<VisionEncoderDecoderModel> {
    const own = ["seed", "encoderOverrides", "decoderOverrides"];
    const task = `make a model of ${nameOf(encoder)} and ${nameOf(decoder)}`;
    return VisionEncoderDecoderModel.#load(task, options, own, () => joinedDefinition(encoder, decoder, options));
  }

  static #load(
    task: string,
    options: LoadOptions,
    own: readonly string[],
    read: ReadsDefinition,
  ): Promise<VisionEncoderDecoderModel> {
    return explained(() => `Cannot ${task}`, async () => {
      checkLoadOptions(options, own);
      const { config, settings, parameters, folders, runner } = await placeModel(read, options);
      const core = new ModelCore(config, parameters, runner, folders);
      return new VisionEncoderDecoderModel(config, settings, core, options);
    });
  }

  /** The most that calls may ask for. */
  get limits(): Limits {
    return this.#core.runner.architecture.limits;
  }

  /** The parameters that were in no file, and are filled by Hugging Face's rules. */
  get newlyInitialized(): readonly string[] {
    return this.#core.parameters.newlyInitialized;
  }

  /** The tensors of the files that the model does not use, by the files' names. */
  get unusedTensors(): readonly string[] {
    return this.#core.parameters.leftOver.unusedTensors;
  }

  /** The prefix of all names of the model in its files, such as `module.` of a model saved from its wrapper. */
  get namePrefixes(): readonly string[] {
    return this.#core.parameters.leftOver.namePrefixes;
  }

  /** Every parameter by checkpoint name, as Python's save_pretrained writes them: tied ones once, unused ones too. */
  namedParameters(): Map<string, { dataType: DataType; shape: readonly number[] }> {
    return new Map(
      [...this.#core.parameters.parameters].map(([name, { dataType, shape }]) => [name, { dataType, shape }]),
    );
  }

  /**
   * Read a parameter, in the type it was stored in.
   *
   * @throws {ShapeError} If there is none of that name.
   */
  parameter(name: string): Promise<Tensor> {
    return this.#calls.take(() => this.#core.read(name));
  }

  /**
   * Replace a parameter; the next call sees it.
   *
   * @throws {ShapeError} If there is none of that name, or of another shape, or the tensor is not of floats.
   */
  setParameter(name: string, tensor: Tensor): Promise<void> {
    return this.#calls.take(() => this.#core.write(name, tensor));
  }

  /**
   * Give the decoder another number of tokens: rows of its embedding and of its head are cut off, or added as the mean of
   * those there are. `config.decoder.vocab_size` is set.
   *
   * @throws {ConfigError} If it is not a positive whole number.
   */
  resizeTokenEmbeddings(vocabularySize: number): Promise<void> {
    return this.#calls.take(() => this.#core.resize(vocabularySize, this.#options));
  }

  /**
   * Add a LoRA adapter of PEFT's files (`adapter_config.json` and `adapter_model.safetensors`) beside the weights, which stay
   * as they are.
   *
   * @param source A folder, its web address, or a repository on the Hub.
   * @param options How it is fetched, where that is not as the model was.
   * @throws {OptionError} If an option does not exist.
   * @throws {HubError} If there is no adapter.
   * @throws {ConfigError} If it is no LoRA, or asks for what Limner does not do, such as DoRA.
   * @throws {FormatError} If it is of another model, or values are missing.
   * @throws {ShapeError} If values have other shapes than the model's layers ask for.
   * @throws {LimnerError} If the model has an adapter.
   *
   * @example
   * ```ts ignore
   * await model.loadAdapter("my-handwriting");
   * await model.mergeAdapters();
   * await model.savePretrained("merged");
   * ```
   */
  async loadAdapter(source: string | URL, options: RepositoryOptions = {}): Promise<void> {
    const repository = await openRepository(source, fetchingOptions(this.#options, options));
    await this.#calls.take(() => this.#core.loadAdapter(repository));
  }

  /** Write the adapter as PEFT's files. @param folder Made if it is missing. @throws {LimnerError} If there is none. */
  saveAdapter(folder: string | URL): Promise<void> {
    return this.#calls.take(() => this.#core.saveAdapter(folder));
  }

  /**
   * Put the adapter into the weights, W + scaling · B A: the model computes the same, and is a plain one.
   *
   * @throws {LimnerError} If there is none.
   * @throws {OptionError} If it adapts a head that shares its weight with the embedding.
   */
  mergeAdapters(): Promise<void> {
    return this.#calls.take(() => this.#core.mergeAdapter());
  }

  /** Take the adapter away: the model computes what it did without it. @throws {LimnerError} If there is none. */
  unloadAdapter(): Promise<void> {
    return this.#calls.take(() => this.#core.detachAdapter());
  }

  /**
   * Write config.json, generation_config.json and the weights as safetensors, which Python's Transformers reads. Every
   * file appears whole or not at all.
   *
   * @param folder The folder, made if it is missing.
   * @param given.maxShardSize The most bytes of tensors in a file. @default "50GB"
   * @param given.pushToHub A repository of the Hub that the folder is uploaded to afterwards.
   * @throws {OptionError} If `maxShardSize` is no size.
   * @throws {LimnerError} If the model has an adapter that is not merged: a plain model would lack what it learned.
   * @throws {HubError} If a file cannot be written (a WriteError), or as `pushModel` does.
   */
  async savePretrained(folder: string | URL, given: SaveAndPushOptions = {}): Promise<void> {
    const { pushToHub, push, ...options } = given;
    await this.#calls.take(() => {
      this.#core.checkMerged("save the model");
      return this.#core.save(folder, this.generationConfig, options);
    });
    if (pushToHub !== undefined) await (await import("./push_model.ts")).pushModel(folder, pushToHub, push);
  }

  /**
   * Run the encoder and, on given ids or labels, the decoder.
   *
   * @throws {OptionError} If there is an input of another name.
   * @throws {ShapeError} If the inputs do not fit the model or one another, or neither ids nor labels are given.
   * @throws {ConfigError} If labels are given without ids, and `config.decoder_start_token_id` or `config.pad_token_id`
   * is not set.
   */
  forward(inputs: ForwardInputs = {}): Promise<ForwardOutput> {
    const task = () => `Cannot run the model on ${describePictures(inputs)}`;
    return this.#calls.take(() =>
      explained(task, async () => {
        await this.#core.recover(this.#options);
        return await this.#core.forward.run(inputs, this.config);
      })
    );
  }

  /**
   * Write the text of pictures.
   *
   * @param pixelValues Pictures, [batch, channels, height, width], float32.
   * @returns The ids of each picture's text.
   * @throws {ShapeError} If the pictures do not fit the model.
   * @throws {OptionError} If an option does not exist or cannot be honoured.
   * @throws {LimitError} If it asks for more beams, rows or bytes than `limits` allow.
   * @throws {ConfigError} If no start token is known.
   */
  generate(pixelValues: Tensor, options: GenerateOptions = {}): Promise<GenerateOutput> {
    const task = () => `Cannot generate from ${describePictures({ pixelValues })}`;
    return explained(task, () => this.#generate(pixelValues, options));
  }

  async #generate(pixelValues: Tensor, options: GenerateOptions): Promise<GenerateOutput> {
    const { architecture } = this.#core.runner;
    const [batch, , height, width] = checkPictures(pixelValues, architecture).shape;
    const subject = subjectOf(this.config, architecture, { batch, size: [height, width] });
    const generation = resolveGeneration(this.generationConfig, options, subject);
    const { streamer, signal } = generation;
    return await this.#calls.take(async (wanted) => {
      await this.#core.recover(this.#options);
      const yielding = streamer && yieldingStreamer(streamer, wanted, signal);
      const { output, encoderStates } = await decode(this.#core.runner, pixelValues, {
        ...generation,
        streamer: yielding,
      });
      if (!encoderStates) return output;
      const { crossAttentionsOf } = await import("./cross_attentions.ts");
      return {
        ...output,
        ...await crossAttentionsOf(this.#core.forward, encoderStates, output.sequences, this.config),
      };
    }, signal);
  }

  /** Release the model's memory once the calls under way have ended, and its backend unless that was given. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#calls.close();
    await this.#core[Symbol.asyncDispose]();
    if (this.#ownsBackend) await this.backend[Symbol.asyncDispose]();
  }
}
