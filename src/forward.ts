// The model's forward call: ids or labels checked, the program for what is asked compiled once, run once, and read.
import { ConfigError, ShapeError } from "./errors.ts";
import { type Backend, type DeviceTensor, type Program, resolveShape, type Sizes, type Weights } from "./graph/mod.ts";
import { type Architecture, buildForward, type ForwardOptions, type VisionEncoderDecoderConfig } from "./models/mod.ts";
import { prepare } from "./passes/mod.ts";
import { Tensor } from "./tensor/mod.ts";

/** Rows of token ids, one a picture, all of one length. */
export type TokenRows = readonly (readonly number[])[] | Tensor;

/** What `forward` is given. */
export interface ForwardInputs {
  /** Pictures, [batch, channels, height, width], float32. */
  readonly pixelValues?: Tensor;
  /** The encoder's states, [batch, S, C], float32, in place of pictures. */
  readonly encoderOutputs?: Tensor;
  /** Ids, [batch, T]; pads are attended to. @default the labels, shifted right */
  readonly decoderInputIds?: TokenRows;
  /** 1 for tokens that may be attended to, 0 for others, [batch, T]. @default all are */
  readonly decoderAttentionMask?: TokenRows;
  /** The id that each position should give, [batch, T]; -100 is not counted. */
  readonly labels?: TokenRows;
  /** Whether the decoder's attentions are wanted. @default false */
  readonly outputAttentions?: boolean;
  /** Whether every layer's states are wanted. @default false */
  readonly outputHiddenStates?: boolean;
  /** Whether positions are stretched to pictures of another size. @default false */
  readonly interpolatePosEncoding?: boolean;
}

/** What `forward` computes. */
export interface ForwardOutput {
  /** The mean cross entropy over labels other than -100, if labels were given. */
  readonly loss?: number;
  /** Shape [batch, T, vocabulary], float32. */
  readonly logits: Tensor;
  /** Shape [batch, S, C], float32, before any projection. */
  readonly encoderLastHiddenState: Tensor;
  /** The embeddings' output and each layer's, if asked for. */
  readonly encoderHiddenStates?: Tensor[];
  /** The embeddings' output and each layer's, [batch, T, C], if asked for. */
  readonly decoderHiddenStates?: Tensor[];
  /** Each layer's attention to the text, [batch, H, T, T], if asked for. */
  readonly decoderAttentions?: Tensor[];
  /** Each layer's attention to the picture, [batch, H, T, S], if asked for. */
  readonly crossAttentions?: Tensor[];
}

/** The label of a position that is not counted. */
const ignored = -100;

/** Added to the products of a query and a key that may not be seen. */
const hidden = -1e30;

/** Programs kept for pictures of different sizes and other wishes. */
const keptPrograms = 4;

/** Ids as rows. @throws {ShapeError} If they are not `batch` rows of one length. */
function rowsOf(given: TokenRows, batch: number, name: string, length?: number): number[][] {
  const rows = (given instanceof Tensor ? given.toList() : given) as number[][];
  const T = length ?? rows[0]?.length ?? 0;
  if (rows.length !== batch || T < 1 || rows.some((row) => !Array.isArray(row) || row.length !== T)) {
    throw new ShapeError(
      `Cannot take ${name} of ${rows.length} rows of ${
        rows.map((row) => row.length ?? "no")
      } tokens: expected ${batch} ` +
        `rows, one a picture, of ${length ?? "one length, at least 1"}`,
    );
  }
  return rows;
}

/**
 * The decoder's ids for labels: shifted right behind the start token, -100 made the pad token
 * (transformers' shift_tokens_right).
 *
 * @throws {ConfigError} If `decoder_start_token_id` or `pad_token_id` of the configuration is not set.
 */
export function shiftTokensRight(
  labels: readonly (readonly number[])[],
  config: VisionEncoderDecoderConfig,
): number[][] {
  const token = (key: "decoder_start_token_id" | "pad_token_id"): number => {
    const value = config[key];
    if (typeof value === "number") return value;
    throw new ConfigError(
      `Cannot shift the labels: config.${key} is ${value === undefined ? "not set" : JSON.stringify(value)}; ` +
        `make sure to set the ${key} attribute of the model's configuration`,
      key,
    );
  };
  const start = token("decoder_start_token_id");
  const pad = token("pad_token_id");
  return labels.map((row) => [start, ...row.slice(0, -1)].map((id) => id === ignored ? pad : id));
}

function integers(rows: readonly (readonly number[])[]): Tensor {
  return new Tensor("int64", [rows.length, rows[0].length], BigInt64Array.from(rows.flat(), BigInt));
}

/** Runs forward programs of one model. */
export class ForwardRunner implements AsyncDisposable {
  readonly #programs = new Map<string, Promise<{ program: Program; graph: ReturnType<typeof buildForward> }>>();

  /** @param weights The model's weights, which stay the caller's. */
  constructor(
    readonly architecture: Architecture,
    readonly backend: Backend,
    readonly weights: Weights,
  ) {}

  /**
   * Run the model on ids or labels.
   *
   * @throws {ShapeError} If the inputs do not fit the model or one another.
   * @throws {ConfigError} If labels are to be shifted and the configuration lacks what that needs.
   */
  async run(inputs: ForwardInputs, config: VisionEncoderDecoderConfig): Promise<ForwardOutput> {
    const given = this.#check(inputs, config);
    const options: ForwardOptions = {
      size: inputs.encoderOutputs ? undefined : inputs.pixelValues!.shape.slice(2) as [number, number],
      interpolate: inputs.interpolatePosEncoding ?? false,
      loss: inputs.labels !== undefined,
      mask: inputs.decoderAttentionMask !== undefined,
      hiddenStates: inputs.outputHiddenStates ?? false,
      attentions: inputs.outputAttentions ?? false,
    };
    const { graph, program } = await this.#program(options);
    const [batch, T] = given.decoderInputIds.shape;
    const sizes: Sizes = { batch, T, ...(inputs.encoderOutputs && { sources: inputs.encoderOutputs.shape[1] }) };
    using stack = new DisposableStack();
    const buffers: Record<string, DeviceTensor> = {};
    for (const [name, { dataType, shape }] of [...graph.inputs, ...graph.outputs]) {
      buffers[name] = stack.use(this.backend.allocate(dataType, resolveShape(shape, sizes)));
      if (graph.inputs.has(name)) this.backend.write(buffers[name], given[name].data);
    }
    const run = stack.use(program.bind(buffers, sizes));
    run.enqueue();
    const results = new Map<string, Tensor>();
    for (const name of graph.outputs.keys()) results.set(name, await this.backend.read(buffers[name]));
    return outputOf(results, inputs.encoderOutputs);
  }

  /** The tensors of a run, by the names of the program's inputs. */
  #check(inputs: ForwardInputs, config: VisionEncoderDecoderConfig): Record<string, Tensor> {
    const { vocabularySize, maxPositions = Infinity } = this.architecture.decoder;
    const given: Record<string, Tensor> = inputs.encoderOutputs
      ? { encoderStates: this.#checkStates(inputs.encoderOutputs) }
      : { pixelValues: checkPictures(inputs.pixelValues, this.architecture) };
    const [batch] = Object.values(given)[0].shape;
    const labels = inputs.labels && rowsOf(inputs.labels, batch, "labels");
    if (!inputs.decoderInputIds && !labels) {
      throw new ShapeError("Cannot run the decoder: neither decoderInputIds nor labels are given");
    }
    const stray = labels?.flat().find((id) => !isToken(id, vocabularySize) && id !== ignored);
    if (stray !== undefined) {
      throw new ShapeError(`Cannot take the label ${stray}: expected ${ignored} or an id below ${vocabularySize}`);
    }
    const ids = inputs.decoderInputIds
      ? rowsOf(inputs.decoderInputIds, batch, "decoderInputIds", labels?.[0].length)
      : shiftTokensRight(labels!, config);
    const unknown = ids.flat().find((id) => !isToken(id, vocabularySize));
    if (unknown !== undefined) {
      throw new ShapeError(`Cannot decode the token ${unknown}: expected an id below ${vocabularySize}`);
    }
    const T = ids[0].length;
    if (T > maxPositions) {
      throw new ShapeError(`Cannot decode ${T} tokens: the decoder has ${maxPositions} positions`);
    }
    given.decoderInputIds = integers(ids);
    if (labels) given.labels = integers(labels);
    if (inputs.decoderAttentionMask) {
      const seen = rowsOf(inputs.decoderAttentionMask, batch, "decoderAttentionMask", T);
      given.decoderMask = new Tensor(
        "float32",
        [batch, 1, 1, T],
        Float32Array.from(seen.flat(), (value) => Number(value) ? 0 : hidden),
      );
    }
    return given;
  }

  #checkStates(states: Tensor): Tensor {
    const { hiddenSize } = this.architecture.encoder;
    const [batch, sources, width] = states.shape;
    if (
      states.shape.length === 3 && batch > 0 && sources > 0 && width === hiddenSize && states.dataType === "float32"
    ) {
      return states;
    }
    throw new ShapeError(
      `Cannot take encoderOutputs ${states.dataType} [${states.shape.join(", ")}]: expected float32 ` +
        `[batch, positions, ${hiddenSize}]`,
      { shapes: [states.shape] },
    );
  }

  #program(options: ForwardOptions): Promise<{ program: Program; graph: ReturnType<typeof buildForward> }> {
    const key = JSON.stringify(options);
    let compiled = this.#programs.get(key);
    if (!compiled) {
      const graph = prepare(buildForward(this.architecture, options), this.backend);
      compiled = this.backend.compile(graph, this.weights).then((program) => ({ graph, program }));
      compiled.catch(() => this.#programs.delete(key));
    }
    // The one just used is the last to go.
    this.#programs.delete(key);
    this.#programs.set(key, compiled);
    for (const old of [...this.#programs.keys()].slice(0, -keptPrograms)) void this.#forget(old);
    return compiled;
  }

  async #forget(key: string): Promise<void> {
    const compiled = this.#programs.get(key);
    this.#programs.delete(key);
    await compiled?.then(({ program }) => program[Symbol.dispose](), () => {});
  }

  /** Release the programs. */
  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#programs.keys()].map((key) => this.#forget(key)));
  }
}

function isToken(id: number, vocabularySize: number): boolean {
  return Number.isInteger(id) && id >= 0 && id < vocabularySize;
}

/** @throws {ShapeError} If pictures are missing, or are not float32 [batch, channels, height, width]. */
export function checkPictures(pixelValues: Tensor | undefined, { encoder: { channels } }: Architecture): Tensor {
  if (!pixelValues) throw new ShapeError("Cannot encode: neither pixelValues nor encoderOutputs are given");
  const [batch, found] = pixelValues.shape;
  if (pixelValues.shape.length === 4 && found === channels && pixelValues.dataType === "float32" && batch > 0) {
    return pixelValues;
  }
  throw new ShapeError(
    `Cannot encode pixelValues ${pixelValues.dataType} [${pixelValues.shape.join(", ")}]: ` +
      `expected float32 [batch, ${channels}, height, width]`,
    { op: "encode", shapes: [pixelValues.shape] },
  );
}

/** The results of a program, grouped. */
function outputOf(results: ReadonlyMap<string, Tensor>, encoderOutputs: Tensor | undefined): ForwardOutput {
  const list = (name: string): Tensor[] => {
    const tensors: Tensor[] = [];
    for (let n = 0; results.has(`${name}.${n}`); n++) tensors.push(results.get(`${name}.${n}`)!);
    return tensors;
  };
  const lists = Object.fromEntries(
    ["encoderHiddenStates", "decoderHiddenStates", "decoderAttentions", "crossAttentions"]
      .map((name) => [name, list(name)] as const).filter(([, tensors]) => tensors.length > 0),
  );
  const loss = results.get("loss");
  return {
    ...(loss && { loss: Number(loss.data[0]) }),
    logits: results.get("logits")!,
    encoderLastHiddenState: encoderOutputs ?? results.get("encoderStates")!,
    ...lists,
  };
}
