// What a repository has where it has no weights that are read: the message says what was found and what to do.
import type { Repository } from "../hub/repository.ts";
import { LimnerError } from "../errors/mod.ts";
import { isRecord, parseJson } from "../hub/read_json.ts";

/** What a file tells by its name, the likeliest cause first. */
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
      `it has ${first}, whose name says not that it is the model's: rename it to ` +
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

/** Files of training, beside a model and no model themselves. */
const beside = /^(?:optimizer|scheduler|scaler|rng_state|training_args|adapter_model)/;

/**
 * Say what a repository has instead of a model's weights.
 *
 * @returns A clause that begins the reason of a message; undefined where nothing tells.
 */
export async function describeInstead(repository: Repository): Promise<string | undefined> {
  const adapter = await repository.readText("adapter_config.json");
  if (adapter !== undefined) {
    const config = parseJson(adapter, `${repository.name}/adapter_config.json`);
    const base = isRecord(config) && typeof config.base_model_name_or_path === "string"
      ? ` of ${config.base_model_name_or_path}`
      : "";
    return `it is a LoRA adapter${base} (adapter_config.json), not a model: load the model itself, or one that ` +
      "merge_and_unload() made of both";
  }
  const files = (await namesIn(repository)).filter((name) => !beside.test(name)).sort();
  for (const [name, describe] of kinds) {
    const found = files.filter((file) => name.test(file));
    if (found.length > 0) return describe(found);
  }
}

/** The names of what a repository has; none where it does not list them: what is missing is said in any case. */
async function namesIn(repository: Repository): Promise<readonly string[]> {
  try {
    return await repository.list?.() ?? [];
  } catch (error) {
    if (error instanceof LimnerError) return [];
    throw error;
  }
}
