// The model a user holds: a configuration, weights on a backend, and what can be done with them.
// Calls are queued and run one after another, so several may be under way at once.
import { ConfigError, ShapeError } from "./errors.ts";
import { openCheckpoint } from "./checkpoint/mod.ts";
import { openRepository } from "./hub/mod.ts";
import type { Backend, BackendName, BackendOptions, WeightStorage } from "./graph/mod.ts";
import { loadBackend } from "./load_backend.ts";
import {
  decodeGreedily,
  type GenerateOptions,
  type GenerationConfig,
  generationConfigOf,
  ModelRunner,
  settle,
} from "./generation/mod.ts";
import { architectureOf, readJson, VisionEncoderDecoderConfig } from "./models/mod.ts";
import { Tensor } from "./tensor/mod.ts";

/** How far the loading of a model has come. */
export interface LoadProgress {
  readonly stage: "downloading" | "reading" | "compiling";
  /** The file being downloaded. */
  readonly file?: string;
  /** Bytes done; 0 where a stage has no measure. */
  readonly done: number;
  /** Bytes in all, where that is known. */
  readonly total?: number;
}

/** Options of loading a model. */
export interface LoadOptions extends BackendOptions {
  /** Where it runs: a name, which runs or fails, "auto", or a backend that is loaded already. @default "auto" */
  readonly backend?: BackendName | "auto" | Backend;
  /** How the backend holds the weights. @default "float32" */
  readonly dtype?: WeightStorage;
  /** Prefer less memory to speed. @default false */
  readonly lowMemory?: boolean;
  /** Is told how loading gets on. */
  readonly onProgress?: (event: LoadProgress) => void;
  /** Stops the loading. */
  readonly signal?: AbortSignal;
}

/** What `forward` computes. */
export interface ForwardOutput {
  /** Shape [batch, T, vocabulary], float32. */
  readonly logits: Tensor;
  /** Shape [batch, S, C], float32, before any projection. */
  readonly encoderLastHiddenState: Tensor;
}

/** What `generate` returns. */
export interface GenerateOutput {
  /** The ids of each row, its prompt first, padded to the longest. */
  readonly sequences: number[][];
  /** Whether a row was cut by the length and has no end token. */
  readonly truncated: boolean[];
}

/**
 * A vision encoder and a text decoder, as transformers.VisionEncoderDecoderModel.
 *
 * @example
 * ```ts
 * import { Tensor, VisionEncoderDecoderModel } from "@limner/limner";
 * import { assertEquals } from "@std/assert";
 *
 * const folder = new URL(import.meta.resolve("@limner/limner/model/"));
 * await using model = await VisionEncoderDecoderModel.fromPretrained(folder, { backend: "reference" });
 * const white = new Tensor("float32", [1, 3, 32, 512], new Float32Array(3 * 32 * 512).fill(1));
 * const { sequences } = await model.generate(white, { maxNewTokens: 2 });
 * assertEquals(sequences[0][0], model.generationConfig.decoder_start_token_id);
 * ```
 */
export class VisionEncoderDecoderModel implements AsyncDisposable {
  readonly #runner: ModelRunner;
  readonly #ownsBackend: boolean;
  /** The last call; the next one waits for it. */
  #turn: Promise<unknown> = Promise.resolve();

  private constructor(
    /** Its fields may be set and are read at each call. */
    readonly config: VisionEncoderDecoderConfig,
    /** Settings of `generate`, with generation_config.json's keys; they may be set and are read at each call. */
    readonly generationConfig: GenerationConfig,
    runner: ModelRunner,
    ownsBackend: boolean,
  ) {
    this.#runner = runner;
    this.#ownsBackend = ownsBackend;
  }

  /** The backend the model runs on. */
  get backend(): Backend {
    return this.#runner.backend;
  }

  /**
   * Load a model from its published files.
   *
   * @param source A folder in Hugging Face's layout, or its web address.
   * @throws {HubError} If there is no such folder, or it has no weights.
   * @throws {ConfigError} If config.json is missing or does not describe a model Limner knows.
   * @throws {FormatError} If a file is malformed, or a weight is missing.
   * @throws {ShapeError} If a weight's shape is not what config.json says.
   * @throws {BackendError} If the backend cannot run here.
   */
  static async fromPretrained(source: string | URL, options: LoadOptions = {}): Promise<VisionEncoderDecoderModel> {
    const { onProgress, signal } = options;
    // The backend's library loads while the files are read.
    const given = typeof options.backend === "object" ? options.backend : undefined;
    const loading = given ? Promise.resolve(given) : loadBackend(options.backend as BackendName | "auto", options);
    loading.catch(() => {});
    let backend: Backend | undefined;
    try {
      const repository = await openRepository(source, { signal, onProgress });
      const values = await readJson(repository, "config.json");
      if (!values) {
        throw new ConfigError(`Cannot load the model ${repository.name}: it has no config.json`, "config.json");
      }
      const config = new VisionEncoderDecoderConfig(values);
      const architecture = architectureOf(config);
      const settings = await readJson(repository, "generation_config.json") ?? generationConfigOf(config);
      onProgress?.({ stage: "reading", done: 0 });
      const checkpoint = await openCheckpoint(repository);
      backend = await loading;
      onProgress?.({ stage: "compiling", done: 0 });
      const runner = await ModelRunner.create(architecture, backend, checkpoint, {
        storage: options.dtype,
        lowMemory: options.lowMemory,
        signal,
      });
      return new VisionEncoderDecoderModel(config, settings, runner, given === undefined);
    } catch (error) {
      if (!given) await (backend ?? await loading.catch(() => undefined))?.[Symbol.asyncDispose]();
      throw error;
    }
  }

  /**
   * Run the encoder and, on given ids, the decoder.
   *
   * @param inputs.pixelValues Pictures, [batch, channels, height, width], float32.
   * @param inputs.decoderInputIds Ids, [batch, T]; pads are attended to.
   * @throws {ShapeError} If the inputs do not fit the model or one another.
   */
  async forward(
    inputs: { pixelValues: Tensor; decoderInputIds: readonly (readonly number[])[] | Tensor },
  ): Promise<ForwardOutput> {
    const [batch, size] = this.#checkPictures(inputs.pixelValues);
    const ids = this.#checkIds(inputs.decoderInputIds, batch);
    const T = ids[0].length;
    return await this.#inTurn(async () => {
      const session = await this.#runner.session({ batch, beams: 1, size, positions: T, logits: T, selection: "none" });
      session.encode(inputs.pixelValues);
      session.writeTokens(ids);
      session.decode(0, T);
      const logits = await session.read("logits");
      return { logits, encoderLastHiddenState: await session.read("encoderStates") };
    });
  }

  /**
   * Write the text of pictures.
   *
   * @param pixelValues Pictures, [batch, channels, height, width], float32.
   * @returns The ids of each picture's text.
   * @throws {ShapeError} If the pictures do not fit the model.
   * @throws {OptionError} If an option does not exist or cannot be honoured.
   * @throws {ConfigError} If no start token is known.
   */
  async generate(pixelValues: Tensor, options: GenerateOptions = {}): Promise<GenerateOutput> {
    const [batch, size] = this.#checkPictures(pixelValues);
    const { decoder } = this.#runner.architecture;
    const generation = settle(this.generationConfig, options, {
      batch,
      vocabularySize: decoder.vocabularySize,
      maxPositions: decoder.maxPositions,
      prependsStart: !this.config.encoder.model_type.includes("donut"),
    });
    return await this.#inTurn(async () => {
      options.signal?.throwIfAborted();
      const positions = generation.maxLength;
      const session = await this.#runner.session({ batch, beams: 1, size, positions, logits: 1, selection: "greedy" });
      const start = performance.now();
      session.encode(pixelValues);
      if (options.onTimings) await session.read("encoderStates", { shape: [1], signal: options.signal });
      const encoded = performance.now();
      const output = await decodeGreedily(session, generation, options);
      const tokens = output.sequences.flat().length - generation.prompts.flat().length;
      options.onTimings?.({ encode: encoded - start, decode: performance.now() - encoded, tokens });
      return output;
    });
  }

  /** Release the model's memory, and its backend unless that was given. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#turn.catch(() => {});
    await this.#runner[Symbol.asyncDispose]();
    if (this.#ownsBackend) await this.backend[Symbol.asyncDispose]();
  }

  /** Run a call when the ones before it have ended, well or not. */
  #inTurn<T>(call: () => Promise<T>): Promise<T> {
    const result = this.#turn.then(call, call);
    this.#turn = result.catch(() => {});
    return result;
  }

  #checkPictures(pixelValues: Tensor): [batch: number, size: [height: number, width: number]] {
    const { channels } = this.#runner.architecture.encoder;
    const [batch, found, height, width] = pixelValues.shape;
    if (pixelValues.shape.length !== 4 || found !== channels || pixelValues.dataType !== "float32" || batch < 1) {
      throw new ShapeError(
        `Cannot encode pixelValues ${pixelValues.dataType} [${pixelValues.shape.join(", ")}]: ` +
          `expected float32 [batch, ${channels}, height, width]`,
        { op: "encode", shapes: [pixelValues.shape] },
      );
    }
    return [batch, [height, width]];
  }

  #checkIds(given: readonly (readonly number[])[] | Tensor, batch: number): number[][] {
    const rows = (given instanceof Tensor ? given.toList() : given) as number[][];
    const { vocabularySize, maxPositions = Infinity } = this.#runner.architecture.decoder;
    const T = rows[0]?.length ?? 0;
    if (rows.length !== batch || T < 1 || T > maxPositions || rows.some((row) => row.length !== T)) {
      throw new ShapeError(
        `Cannot decode decoderInputIds of ${rows.length} rows of ${rows.map((row) => row.length)}: expected ${batch} ` +
          `rows, one a picture, of one length from 1 to ${maxPositions}`,
      );
    }
    const stray = rows.flat().find((id) => !Number.isInteger(id) || id < 0 || id >= vocabularySize);
    if (stray !== undefined) {
      throw new ShapeError(`Cannot decode the token ${stray}: the vocabulary has ${vocabularySize}`);
    }
    return rows;
  }
}
