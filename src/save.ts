// A model written as Python's save_pretrained writes it: config.json, generation_config.json and the weights.
import { writeCheckpoint, writeFileAtomically } from "./checkpoint/mod.ts";
import type { GenerationConfig } from "./generation/mod.ts";
import { toPath } from "./hub/mod.ts";
import type { ModelParameters, VisionEncoderDecoderConfig } from "./models/mod.ts";
import type { Tensor } from "./tensor/mod.ts";

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

/** JSON as Python writes it: keys sorted, two spaces. */
function toJson(value: unknown): string {
  const sorted = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(sorted);
    if (typeof value !== "object" || value === null) return value;
    return Object.fromEntries(Object.entries(value).sort(([a], [b]) => a < b ? -1 : 1).map(([k, v]) => [k, sorted(v)]));
  };
  return `${JSON.stringify(sorted(value), null, 2)}\n`;
}

/**
 * Write a model. Every file appears whole or not at all.
 *
 * @param folder The folder, made if it is missing.
 * @throws {OptionError} If `maxShardSize` is no size.
 */
export async function saveModel(folder: string | URL, model: Savable, options: SaveOptions = {}): Promise<void> {
  const { config, generationConfig, parameters, read } = model;
  const types = new Map(
    [...parameters.parameters].map(([name, { dataType, shape }]) =>
      [name, { dataType: parameters.trained.has(name) ? "float32" as const : dataType, shape }] as const
    ),
  );
  const { maxShardSize } = options;
  await writeCheckpoint(folder, { parameters: types, read }, maxShardSize === undefined ? {} : { maxShardSize });
  const path = toPath(folder).replace(/(?<=.)[/\\]+$/, "");
  const whole = { ...config.toFile(), architectures: ["VisionEncoderDecoderModel"], dtype: parameters.dataType };
  await writeFileAtomically(`${path}/config.json`, toJson(whole));
  await writeFileAtomically(`${path}/generation_config.json`, toJson(generationConfig));
}
