// Why a repository has no weights that can be read: the message names what it has and what to do about it.
import type { Repository } from "../hub/repository.ts";
import { LimnerError } from "../errors/mod.ts";
import { isRecord, parseJson } from "../hub/read_json.ts";

/** What the name of a file means where no weights were found, the likeliest cause first. */
const kinds: readonly (readonly [name: RegExp, describe: (files: readonly string[]) => string])[] = [
  [
    /^(?:model|pytorch_model)-\d+-of-\d+\.(?:safetensors|bin)$/,
    ([first, ...rest]) =>
      `${first}${rest.length ? ` and ${rest.length} more are` : " is"} shards without their index, ` +
      `${first.endsWith(".bin") ? "pytorch_model.bin" : "model.safetensors"}.index.json, which names each tensor's`,
  ],
  [
    /\.(?:safetensors|bin|pth?|ckpt)$/,
    ([first]) =>
      `it has ${first}, whose name does not say that it is the model's: rename it to ` +
      (first.endsWith(".safetensors") ? "model.safetensors" : "pytorch_model.bin"),
  ],
  [
    /\.onnx$|^onnx\/$/,
    ([first]) => `it has only ONNX files (${first}): the PyTorch checkpoint that they were made of is read`,
  ],
  [
    /^tf_model.*\.h5$/,
    ([first]) => `it has only TensorFlow's ${first}: load it with from_tf=True in Transformers 4 and save it`,
  ],
  [
    /\.msgpack$/,
    ([first]) => `it has only Flax's ${first}: load it with from_flax=True in Transformers 4 and save it`,
  ],
  [
    /^checkpoint-\d+\/$/,
    (all) => `it has the training checkpoints ${all.map((name) => name.slice(0, -1)).join(", ")}: give one`,
  ],
];

/** Files of training that lie beside a model and are none themselves. */
const notModels = /^(?:optimizer|scheduler|scaler|rng_state|training_args|adapter_model)/;

/**
 * Explain why a repository has no weights, by what it has instead.
 *
 * @returns A clause with which the reason in a message begins; undefined if no file explains it.
 */
export async function whyNoWeights(repository: Repository): Promise<string | undefined> {
  const adapter = await repository.readText("adapter_config.json");
  if (adapter !== undefined) {
    const config = parseJson(adapter, `${repository.name}/adapter_config.json`);
    const base = isRecord(config) && typeof config.base_model_name_or_path === "string"
      ? ` of ${config.base_model_name_or_path}`
      : "";
    return `it is a LoRA adapter${base} (adapter_config.json), not a model: load the model itself, and give it ` +
      "the adapter with loadAdapter()";
  }
  const files = (await namesIn(repository)).filter((name) => !notModels.test(name)).sort();
  for (const [name, describe] of kinds) {
    const found = files.filter((file) => name.test(file));
    if (found.length > 0) return describe(found);
  }
}

/** The names of what a repository has; none where they cannot be listed, since the weights are reported missing in any case. */
async function namesIn(repository: Repository): Promise<readonly string[]> {
  try {
    return await repository.list?.() ?? [];
  } catch (error) {
    if (error instanceof LimnerError) return [];
    throw error;
  }
}
