// adapter_config.json as Python's peft reads and writes it (peft.LoraConfig). What changes the computation and is not known here
// is refused by its name, never passed over.
import { ConfigError } from "../../errors/mod.ts";
import { isRecord } from "../../hub/mod.ts";
import type { TargetRules } from "./target_modules.ts";

/** What a configuration says. */
export interface PeftConfig {
  readonly rank: number;
  readonly alpha: number;
  readonly dropout: number;
  readonly rankStabilized: boolean;
  /** Ranks and alphas of modules that have others, by a pattern of the ending of their path. */
  readonly rankPattern: Readonly<Record<string, number>>;
  readonly alphaPattern: Readonly<Record<string, number>>;
  readonly rules: TargetRules;
  readonly baseModel?: string;
}

/** What Limner does not do, and why, by field; a field that is unset, false or empty asks for nothing. */
const refused: Readonly<Record<string, string>> = {
  use_dora: "DoRA normalises the weights' columns, which is not done here; merge it in Python (merge_and_unload)",
  lora_bias: "a bias beside B is not added here; merge it in Python (merge_and_unload)",
  modules_to_save: "it replaces whole layers beside the adapter; merge it in Python (merge_and_unload)",
  trainable_token_indices: "it replaces rows of the embedding; merge it in Python (merge_and_unload)",
  target_parameters: "only fully connected layers can be adapted, by target_modules",
  layer_replication: "it makes another model, with layers repeated",
  use_qalora: "QALoRA is for quantised weights",
  alora_invocation_tokens: "Activated LoRA acts on a part of the tokens only",
  arrow_config: "Arrow chooses among several adapters, and one is held",
  use_bdlora: "block-diagonal LoRA has other shapes",
  kasa_config: "KaSA changes the model's weights",
  monteclora_config: "MonteCLoRA draws the adapter's values at random",
  megatron_config: "Megatron's parallel layers are not known",
  ensure_weight_tying: "an adapter is not shared by the embedding and the head",
};

/** The fields that change nothing of what an adapter computes, and those that are read below. */
const harmless = new Set([
  ...["peft_type", "r", "lora_alpha", "lora_dropout", "use_rslora", "rank_pattern", "alpha_pattern", "target_modules"],
  ...[
    "exclude_modules",
    "layers_to_transform",
    "layers_pattern",
    "base_model_name_or_path",
    "bias",
    "init_lora_weights",
  ],
  ...["auto_mapping", "peft_version", "revision", "task_type", "inference_mode", "fan_in_fan_out", "megatron_core"],
  ...["qalora_group_size", "loftq_config", "eva_config", "corda_config", "lora_ga_config", "velora_config"],
  ...["runtime_config"],
]);

/** The ways of initialisation that leave the model's weights as they are. */
const plainInitialisations: readonly unknown[] = [undefined, null, true, false, "gaussian", "eva", "orthogonal"];

/** The most entries of a list or table; that of all layers of a large model by their paths has a thousand. */
const mostEntries = 10_000;

/** Reads fields of adapter_config.json, with errors that name the file and the field. */
class Fields {
  constructor(readonly values: Readonly<Record<string, unknown>>, readonly file: string) {}

  fail(key: string, reason: string): never {
    throw new ConfigError(`Cannot read the adapter ${this.file}: ${reason}`, key);
  }

  /** @throws {ConfigError} If a field is neither missing nor of a kind. */
  read<T>(key: string, otherwise: T, kind: string, accepts: (value: unknown) => boolean): T {
    const value = this.values[key] ?? otherwise;
    const entries = typeof value === "object" && value !== null ? Object.keys(value).length : 0;
    if (entries > mostEntries) this.fail(key, `${key} has ${entries} entries, expected at most ${mostEntries}`);
    if (value === otherwise || accepts(value)) return value as T;
    return this.fail(key, `${key} is ${JSON.stringify(value).slice(0, 200)}, expected ${kind}`);
  }

  names(key: string): string | readonly string[] | undefined {
    return this.read<string | readonly string[] | undefined>(
      key,
      undefined,
      "a list of names, or a regular expression",
      (value) => typeof value === "string" || isListOf(value, (one) => typeof one === "string"),
    );
  }

  numbers(key: string, kind: string, accepts: (value: unknown) => boolean): Readonly<Record<string, number>> {
    return this.read<Readonly<Record<string, number>>>(
      key,
      {},
      `${kind} by pattern`,
      (value) => isRecord(value) && Object.values(value).every(accepts),
    );
  }
}

const isListOf = (value: unknown, accepts: (one: unknown) => boolean) => Array.isArray(value) && value.every(accepts);
const isRank = (value: unknown) => Number.isSafeInteger(value) && (value as number) > 0;
const isNumber = (value: unknown) => typeof value === "number" && Number.isFinite(value);

/** Whether a field asks for something. */
const isSet = (value: unknown) =>
  value !== undefined && value !== null && value !== false && !(typeof value === "object" && isEmpty(value!));
const isEmpty = (value: object) => Object.keys(value).length === 0;

/**
 * Read adapter_config.json.
 *
 * @param file What messages call it.
 * @throws {ConfigError} If it is of another kind of adapter than LoRA, or asks for what is not done here.
 */
export function readPeftConfig(values: Readonly<Record<string, unknown>>, file: string): PeftConfig {
  const fields = new Fields(values, file);
  checkKnown(fields);
  const targets = fields.names("target_modules");
  if (targets === undefined) {
    return fields.fail("target_modules", "target_modules is missing, which names the adapted layers");
  }
  const layers = fields.read<number | readonly number[] | undefined>(
    "layers_to_transform",
    undefined,
    "a number of a layer, or a list of them",
    (value) => Number.isSafeInteger(value) || isListOf(value, Number.isSafeInteger),
  );
  const pattern = fields.names("layers_pattern");
  return {
    rank: fields.read("r", 8, "a positive whole number", isRank),
    alpha: fields.read("lora_alpha", 8, "a number", isNumber),
    dropout: fields.read(
      "lora_dropout",
      0,
      "a number from 0 to 1",
      (value) => isNumber(value) && (value as number) >= 0 && (value as number) < 1,
    ),
    rankStabilized: fields.read("use_rslora", false, "true or false", (value) => typeof value === "boolean"),
    rankPattern: fields.numbers("rank_pattern", "positive whole numbers", isRank),
    alphaPattern: fields.numbers("alpha_pattern", "numbers", isNumber),
    rules: {
      targets,
      exclude: fields.names("exclude_modules"),
      layers: typeof layers === "number" ? [layers] : layers,
      layersPattern: typeof pattern === "string" ? [pattern] : pattern,
    },
    baseModel: fields.read<string | undefined>(
      "base_model_name_or_path",
      undefined,
      "a name",
      (value) => typeof value === "string",
    ),
  };
}

/** Refuse what is not LoRA as it is done here. */
function checkKnown(fields: Fields): void {
  const { values } = fields;
  if (values.peft_type !== "LORA") {
    fields.fail("peft_type", `peft_type is ${JSON.stringify(values.peft_type) ?? "missing"}, expected "LORA"`);
  }
  for (const [key, value] of Object.entries(values)) {
    if (!isSet(value)) continue;
    if (Object.hasOwn(refused, key)) fields.fail(key, `${key} is ${JSON.stringify(value)}: ${refused[key]}`);
    if (!harmless.has(key)) fields.fail(key, `${key} is ${JSON.stringify(value)}, and no such field is known`);
  }
  if ((values.bias ?? "none") !== "none") {
    fields.fail("bias", `bias is ${JSON.stringify(values.bias)}: the model's biases are not the adapter's here`);
  }
  if (!plainInitialisations.includes(values.init_lora_weights)) {
    const value = JSON.stringify(values.init_lora_weights);
    fields.fail(
      "init_lora_weights",
      `init_lora_weights is ${value}, which changes the model's weights; convert it to plain LoRA in Python ` +
        "(path_initial_model_for_weight_conversion)",
    );
  }
}

/** What is written of an adapter. */
export interface WrittenPeftConfig extends Omit<PeftConfig, "rules"> {
  readonly targets: readonly string[];
  /** Whether a layer's weight is [inputs, outputs], as GPT-2's are. */
  readonly transposed: boolean;
}

/** The content of adapter_config.json, as `peft` writes it for a model that is used and not trained on. */
export function peftConfigOf(config: WrittenPeftConfig): Record<string, unknown> {
  return {
    alpha_pattern: config.alphaPattern,
    auto_mapping: {
      base_model_class: "VisionEncoderDecoderModel",
      parent_library: "transformers.models.vision_encoder_decoder.modeling_vision_encoder_decoder",
    },
    base_model_name_or_path: config.baseModel ?? null,
    bias: "none",
    fan_in_fan_out: config.transposed,
    inference_mode: true,
    init_lora_weights: true,
    lora_alpha: config.alpha,
    lora_dropout: config.dropout,
    modules_to_save: null,
    peft_type: "LORA",
    r: config.rank,
    rank_pattern: config.rankPattern,
    target_modules: config.targets,
    task_type: null,
    use_dora: false,
    use_rslora: config.rankStabilized,
  };
}
