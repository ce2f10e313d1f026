// What the forward call is given, checked and turned into the tensors that its program takes.
import { ConfigError, OptionError, ShapeError } from "../errors/mod.ts";
import type { Architecture, VisionEncoderDecoderConfig } from "../models/mod.ts";
import { lowestScore } from "../operators/mod.ts";
import { Tensor } from "../tensor/mod.ts";

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

/** The names of what `forward` is given. */
const inputNames = {
  pixelValues: true,
  encoderOutputs: true,
  decoderInputIds: true,
  decoderAttentionMask: true,
  labels: true,
  outputAttentions: true,
  outputHiddenStates: true,
  interpolatePosEncoding: true,
} as const satisfies Record<keyof ForwardInputs, true>;

/** The label of a position that is not counted. */
const ignored = -100;

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
 * The decoder's ids for labels: shifted right after the start token, -100 made the pad token
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

/**
 * The tensors of a run, by the names of the program's inputs.
 *
 * @throws {OptionError} If there is an input of another name.
 * @throws {ShapeError} If the inputs do not fit the model or one another.
 * @throws {ConfigError} If labels are to be shifted and the configuration lacks what that needs.
 */
export function checkInputs(
  inputs: ForwardInputs,
  architecture: Architecture,
  config: VisionEncoderDecoderConfig,
): Record<string, Tensor> {
  const other = Object.keys(inputs).find((name) => !Object.hasOwn(inputNames, name));
  if (other !== undefined) {
    throw new OptionError(
      `Cannot run the model: forward has no input ${other}, only ${Object.keys(inputNames).join(", ")}`,
    );
  }
  const { vocabularySize, maxPositions = Infinity } = architecture.decoder;
  const given: Record<string, Tensor> = inputs.encoderOutputs
    ? { encoderStates: checkStates(inputs.encoderOutputs, architecture) }
    : { pixelValues: checkPictures(inputs.pixelValues, architecture) };
  const [batch] = Object.values(given)[0].shape;
  const labels = inputs.labels && rowsOf(inputs.labels, batch, "labels");
  if (!inputs.decoderInputIds && !labels) {
    throw new ShapeError("Cannot run the decoder: neither decoderInputIds nor labels are given");
  }
  const stray = labels?.flat().find((id) => !isToken(id, vocabularySize) && id !== ignored);
  if (stray !== undefined) {
    throw new ShapeError(
      `Cannot take the label ${JSON.stringify(stray)}: expected ${ignored} or an id below ${vocabularySize}`,
    );
  }
  const ids = inputs.decoderInputIds
    ? rowsOf(inputs.decoderInputIds, batch, "decoderInputIds", labels?.[0].length)
    : shiftTokensRight(labels!, config);
  const unknown = ids.flat().find((id) => !isToken(id, vocabularySize));
  if (unknown !== undefined) {
    throw new ShapeError(`Cannot decode the token ${JSON.stringify(unknown)}: expected an id below ${vocabularySize}`);
  }
  const T = ids[0].length;
  if (T > maxPositions) {
    throw new ShapeError(`Cannot decode ${T} tokens: the decoder has ${maxPositions} positions`);
  }
  given.decoderInputIds = integers(ids);
  if (labels) given.labels = integers(labels);
  if (inputs.decoderAttentionMask) {
    const seen = rowsOf(inputs.decoderAttentionMask, batch, "decoderAttentionMask", T);
    given.decoderMask = maskOf(seen);
  }
  return given;
}

/** What is added to the products of queries and keys, [batch, 1, T, T]: nothing where a key is seen and not ahead. */
function maskOf(seen: readonly (readonly number[])[]): Tensor {
  const T = seen[0].length;
  const data = new Float32Array(seen.length * T * T).fill(lowestScore);
  seen.forEach((row, b) => {
    for (let query = 0; query < T; query++) {
      for (let key = 0; key <= query; key++) if (Number(row[key])) data[(b * T + query) * T + key] = 0;
    }
  });
  return new Tensor("float32", [seen.length, 1, T, T], data);
}

function checkStates(states: Tensor, { encoder: { hiddenSize } }: Architecture): Tensor {
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

function isToken(id: number, vocabularySize: number): boolean {
  return Number.isInteger(id) && id >= 0 && id < vocabularySize;
}

/** What messages call a call's pictures: their shape. */
export function describePictures({ pixelValues, encoderOutputs }: ForwardInputs): string {
  const [name, given] = pixelValues ? ["pixelValues", pixelValues] : ["encoderOutputs", encoderOutputs];
  return given ? `${name} [${given.shape.join(", ")}]` : "no pictures";
}

/** @throws {ShapeError} If pictures are missing, or are not float32 [batch, channels, height, width]. */
export function checkPictures(pixelValues: Tensor | undefined, { encoder: { channels } }: Architecture): Tensor {
  if (!pixelValues) throw new ShapeError("Cannot encode: neither pixelValues nor encoderOutputs are given");
  if (!(pixelValues instanceof Tensor)) {
    throw new ShapeError(`Cannot encode pixelValues: expected a Tensor [batch, ${channels}, height, width]`);
  }
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
