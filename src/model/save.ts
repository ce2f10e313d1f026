// A model written as Python's save_pretrained writes it: config.json, generation_config.json and the weights. A quantised model
// is written as it is held, which Python does not read.
import { describeBlocks, scalesName, storedCodes, writeCheckpoint } from "../checkpoint/mod.ts";
import type { GenerationConfig } from "../generation/mod.ts";
import { isRecord } from "../hub/mod.ts";
import { formatJson } from "../hub/write_json.ts";
import { decoders, encoders, type ModelParameters, type VisionEncoderDecoderConfig } from "../models/mod.ts";
import { allocateArray, Tensor } from "../tensor/mod.ts";
import {
  type BlockEncoding,
  blockShapes,
  type CodeForm,
  codeType,
  layOutCodes,
  type StoredBlocks,
  type StoredWeight,
} from "../weights/mod.ts";

/** Options of saving. */
export interface SaveOptions {
  /** The most bytes of tensors in a file, as a number or as text such as `"200MB"`. @default "50GB" */
  readonly maxShardSize?: number | string;
}

/** What is saved. */
export interface Savable {
  readonly config: VisionEncoderDecoderConfig;
  readonly generationConfig: GenerationConfig;
  readonly parameters: ModelParameters;
  /** Reads a parameter's current value. */
  readonly read: (name: string) => Promise<Tensor>;
}

/** The families of both kinds, by model_type. */
const families: Readonly<Record<string, { readonly wholeNumbers?: readonly string[] }>> = { ...encoders, ...decoders };

/** The fields that Python takes for fractions, and refuses as whole numbers: 1 is written 1.0. */
const isFraction = (field: string): boolean =>
  /(?:dropout|dropout_prob|pdrop|layerdrop|_rate|_range|_std|_factor|_eps|_epsilon|_ratio|loss_weight|init_value|temperature|top_p|min_p|typical_p|_penalty|_cutoff|guidance_scale)$/
    .test(field);

/** JSON as Python writes it: keys sorted, two spaces. */
function toJson(value: unknown): string {
  const marker = "\0fraction:";
  const sorted = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(sorted);
    if (!isRecord(value)) return value;
    const { wholeNumbers = [] } = families[value.model_type as string] ?? {};
    const written = (field: string, own: unknown) =>
      Number.isSafeInteger(own) && isFraction(field) && !wholeNumbers.includes(field) ? marker + own : sorted(own);
    return Object.fromEntries(
      Object.entries(value).sort(([a], [b]) => a < b ? -1 : 1).map(([k, v]) => [k, written(k, v)]),
    );
  };
  return `${formatJson(sorted(value)).replace(/"\\u0000fraction:(-?\d+)"/g, "$1.0")}\n`;
}

/**
 * Write a model. Every file appears whole or not at all, and all of them in the same moment.
 *
 * @param folder The folder, made if it is missing.
 * @throws {OptionError} If `maxShardSize` is no size.
 */
export async function saveModel(folder: string | URL, model: Savable, options: SaveOptions = {}): Promise<void> {
  const { config, generationConfig, parameters } = model;
  const { types, read, blocks } = tensorsOf(model);
  const { quantization_config: _former, ...fields } = config.toFile();
  const whole = {
    ...fields,
    architectures: ["VisionEncoderDecoderModel"],
    dtype: parameters.dataType,
    ...(blocks.size > 0 && { quantization_config: describeBlocks(blocks) }),
  };
  const files = { "config.json": toJson(whole), "generation_config.json": toJson(generationConfig) };
  const { maxShardSize } = options;
  const source = { parameters: types, read };
  await writeCheckpoint(folder, source, maxShardSize === undefined ? { files } : { files, maxShardSize });
}

/** How codes are written: those whose rows have one scale as most processors multiply them, those of a file as they were. */
function savedForm({ form, rowScales }: StoredBlocks): CodeForm {
  return form ?? (rowScales ? "signedColumns" : "rows");
}

/** A model's tensors as files have them: codes and scales of weights in blocks, unless training has changed them. */
function tensorsOf({ parameters, read }: Savable) {
  const types = new Map<string, Pick<StoredWeight, "dataType" | "shape">>(parameters.buffers);
  const parts = new Map<string, () => Promise<Tensor>>();
  const blocks = new Map<string, { shape: readonly number[]; encoding: BlockEncoding }>();
  for (const [name, { dataType, shape, blocks: stored }] of parameters.parameters) {
    const trained = parameters.trained.has(name);
    if (!stored || trained) {
      types.set(name, { dataType: trained ? "float32" : dataType, shape });
      continue;
    }
    const shapes = blockShapes(shape, stored);
    const form = savedForm(stored);
    const codes = { dataType: codeType(form), shape: storedCodes(shapes, form) };
    blocks.set(name, { shape, encoding: stored });
    types.set(name, codes);
    types.set(scalesName(name), { dataType: "float32", shape: shapes.scales });
    parts.set(name, async () => {
      const { codes: rows } = await stored.load();
      if (form === "rows") return new Tensor("uint8", codes.shape, rows);
      const laidOut = allocateArray(codes.dataType, rows.length);
      layOutCodes(rows, shapes, { from: "rows", to: form }, laidOut);
      return new Tensor(codes.dataType, codes.shape, laidOut);
    });
    parts.set(scalesName(name), async () => new Tensor("float32", shapes.scales, (await stored.load()).scales));
  }
  return {
    types,
    blocks,
    read: (name: string) => {
      const buffer = parameters.buffers.get(name);
      return buffer ? Promise.resolve(buffer) : parts.get(name)?.() ?? read(name);
    },
  };
}
