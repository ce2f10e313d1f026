// Configurations: plain objects with config.json's own keys, and how a model reads them. Unknown keys are kept.
import { ConfigError } from "../../errors/mod.ts";
import { defaultLimits, type Demand, demand, type Limits } from "../../limits/mod.ts";

/** A configuration of one model, with the keys of its config.json. */
export interface PretrainedConfig {
  /** Which family the model is of, such as `vit` or `gpt2`. */
  model_type: string;
  /** Whatever else config.json has, by its own key. */
  [key: string]: unknown;
}

/** A configuration's fields by key, whatever model they are of. */
export type Fields = Readonly<Record<string, unknown>>;

/** The most names that are made up for a configuration; of labels the largest published have 21841. */
const mostNames = 100_000;

/** @throws {ConfigError} If so many names cannot be made. */
function checkCount(key: string, count: number): void {
  if (isWhole(count, 0, mostNames)) return;
  throw new ConfigError(
    `Cannot complete the configuration: ${key} is ${count}, expected a whole number of at most ${mostNames}`,
    key,
  );
}

/** The keys of a classifier's labels, which every configuration has. */
export function labelsOf(count: number): { id2label: Record<string, string>; label2id: Record<string, number> } {
  checkCount("num_labels", count);
  const names = Array.from({ length: count }, (_, n) => `LABEL_${n}`);
  return {
    id2label: Object.fromEntries(names.map((name, n) => [String(n), name])),
    label2id: Object.fromEntries(names.map((name, n) => [name, n])),
  };
}

/** What every configuration of Transformers has; a config.json leaves out those that are as here. */
export const commonDefaults = {
  transformers_version: "5.23.0",
  architectures: null,
  output_hidden_states: false,
  output_attentions: false,
  return_dict: true,
  dtype: null,
  chunk_size_feed_forward: 0,
  is_encoder_decoder: false,
  ...labelsOf(2),
  problem_type: null,
  _name_or_path: "",
};

/**
 * The names of an encoder's stages, and which of them a backbone gives: the last, unless the configuration says others.
 *
 * @param given What the configuration says.
 * @param count The number of stages after the stem.
 */
export function deriveStages(given: Fields, count: number): Record<string, unknown> {
  checkCount("num_hidden_layers", count);
  const names = ["stem", ...Array.from({ length: count }, (_, n) => `stage${n + 1}`)];
  const { out_features: features, out_indices: indices } = given;
  if (Array.isArray(features)) return { stage_names: names, out_indices: features.map((name) => names.indexOf(name)) };
  const chosen: number[] = Array.isArray(indices) ? indices : [count];
  return { stage_names: names, out_features: chosen.map((n) => names.at(n)), out_indices: chosen };
}

/** No size of a model is larger: shapes are of 32 bits. */
const largestSize = 2 ** 31 - 1;

/** The numbers of a table that a program may hold; 2²⁰ is the most of a published model (BEiT's pairs of patches). */
const mostTabled = 2 ** 23;

function isWhole(value: unknown, least: number, most: number): boolean {
  return Number.isInteger(value) && value as number >= least && value as number <= most;
}

/** A value as an error shows it. */
function shown(value: unknown): string {
  const text = JSON.stringify(value);
  return text.length > 100 ? `${text.slice(0, 100)}…` : text;
}

/** Reads a configuration's fields and says which one is at fault. */
export class ConfigReader {
  /** The numbers that were read, which a person has to look at where parameters have other shapes. */
  readonly sizes: Map<string, number | readonly number[]> = new Map();
  /** How often layers are repeated, by key. */
  readonly layerCounts: Map<string, number> = new Map();

  /**
   * @param values The configuration, defaults filled in.
   * @param path Where it stands in config.json: `encoder`, `decoder`.
   * @param limits The most that it may ask for.
   */
  constructor(
    readonly values: Readonly<Record<string, unknown>>,
    readonly path: string,
    readonly limits: Limits = defaultLimits,
  ) {}

  /** A whole number of at least `least` (default 1) and at most `most`. @throws {ConfigError} If it is something else. */
  whole(key: string, least = 1, most = largestSize): number {
    const value = this.values[key];
    if (!isWhole(value, least, most)) {
      this.#fail(key, `a whole number of at least ${least}${most < largestSize ? ` and at most ${most}` : ""}`);
    }
    this.sizes.set(key, value as number);
    return value as number;
  }

  /**
   * How many layers there are.
   *
   * @throws {ConfigError} If it is no whole number of at least `least`.
   * @throws {LimitError} If there are more than `limits.maxLayers`.
   */
  layers(key: string, least = 1): number {
    const count = this.whole(key, least);
    this.#countLayers(key, count);
    return count;
  }

  /** How many layers each stage has. @throws {ConfigError} As `perStage` does. @throws {LimitError} As `layers` does. */
  layersPerStage(key: string): readonly number[] {
    const counts = this.perStage(key, 0);
    this.#countLayers(key, counts.length + counts.reduce((sum, count) => sum + count, 0));
    return counts;
  }

  /**
   * A whole number for each stage.
   *
   * @param least What each has to be at least.
   * @param stages How many there are. @default as many as are given
   * @throws {ConfigError} If it is something else.
   */
  perStage(key: string, least: number, stages?: number): readonly number[] {
    const value = this.values[key];
    const fits = Array.isArray(value) && value.length === (stages ?? value.length) && value.length > 0 &&
      value.every((n) => isWhole(n, least, largestSize));
    if (!fits) this.#fail(key, `${stages ?? "a list of"} whole numbers of at least ${least}, one a stage`);
    this.sizes.set(key, value as number[]);
    return value as number[];
  }

  #countLayers(key: string, count: number): void {
    demand(this.limits, "maxLayers", count, this.#demand(key));
    this.layerCounts.set(key, count);
  }

  /**
   * Ask for a table of numbers that keys make a program hold, before it is computed.
   *
   * @param keys Those that say how large it is.
   * @throws {ConfigError} If it has more than 2²³ numbers; the largest published have 2²⁰.
   */
  table(keys: readonly string[], numbers: number): void {
    if (numbers <= mostTabled) return;
    const given = keys.map((key) => `${this.path}.${key} is ${shown(this.values[key])}`).join(", ");
    throw new ConfigError(
      `Cannot build the ${this.path}: ${given}, from which a table of ${numbers} numbers follows, expected one of at ` +
        `most ${mostTabled}`,
      `${this.path}.${keys[0]}`,
    );
  }

  #demand(key: string): Demand {
    const path = `${this.path}.${key}`;
    const because = `${path} is ${JSON.stringify(this.values[key])}`;
    return { task: `Cannot build the ${this.path}`, because, key: path };
  }

  /** A finite number. @throws {ConfigError} If it is something else. */
  number(key: string): number {
    const value = this.values[key];
    if (typeof value !== "number" || !Number.isFinite(value)) this.#fail(key, "a number");
    this.sizes.set(key, value as number);
    return value as number;
  }

  /** What is added to a variance before its root is taken. @throws {ConfigError} If it is no number of at least 0. */
  epsilon(key: string): number {
    const value = this.number(key);
    if (value < 0) this.#fail(key, "a number of at least 0");
    return value;
  }

  /**
   * A field that others decide.
   *
   * @param value What follows from them.
   * @param from Their names, for the message.
   * @throws {ConfigError} If it says something else.
   */
  following(key: string, value: number, from: string): number {
    if (this.values[key] !== value) this.#fail(key, `${value}, which follows from ${from}`);
    return value;
  }

  /** How probable something is, from 0 to 1. @throws {ConfigError} If it is something else. */
  probability(key: string): number {
    const value = this.values[key];
    if (typeof value !== "number" || !(value >= 0 && value <= 1)) this.#fail(key, "a number from 0 to 1");
    return value as number;
  }

  /** A truth value; null is false. @throws {ConfigError} If it is something else. */
  flag(key: string): boolean {
    const value = this.values[key] ?? false;
    if (typeof value !== "boolean") this.#fail(key, "true or false");
    return value as boolean;
  }

  /**
   * Fields that no program reads, and that Transformers refuses where they are of another type.
   *
   * @throws {ConfigError} If a token's id is no whole number, or what weights are drawn from is no number.
   */
  checkUnread(): void {
    const isNumber = (value: unknown) => typeof value === "number" && Number.isFinite(value);
    for (const key of ["initializer_range", "init_std", "initializer_factor"]) {
      if (!isNumber(this.values[key] ?? 0)) this.#fail(key, "a number");
    }
    for (const key of ["bos_token_id", "eos_token_id", "pad_token_id"]) {
      const ids = [this.values[key] ?? []].flat();
      if (!ids.every(Number.isInteger)) this.#fail(key, "a token's id");
    }
  }

  /** Height and width, given as one number or a pair. @throws {ConfigError} If it is something else. */
  pair(key: string): [height: number, width: number] {
    const value = this.values[key];
    const both = Array.isArray(value) ? value : [value, value];
    if (both.length !== 2 || !both.every((n) => isWhole(n, 1, largestSize))) {
      this.#fail(key, "a whole number or a pair of them");
    }
    this.sizes.set(key, both);
    return [both[0], both[1]];
  }

  /** The height and width of pictures. @throws {ConfigError} As `pair` does. @throws {LimitError} If they are too large. */
  pictureSize(key: string): [height: number, width: number] {
    const [height, width] = this.pair(key);
    demand(this.limits, "maxInputPixels", height * width, this.#demand(key));
    return [height, width];
  }

  /** One of the keys of a table, as that key's entry. @throws {ConfigError} If the table has none. */
  choice<T>(key: string, table: Readonly<Record<string, T>>): T {
    const value = this.values[key];
    if (typeof value !== "string" || !Object.hasOwn(table, value)) {
      this.#fail(key, `one of ${Object.keys(table).join(", ")}`);
    }
    return table[value as string];
  }

  /** The width of each of `heads` in a hidden state. @throws {ConfigError} If it does not divide. */
  headWidth(hidden: number, heads: number, key: string): number {
    if (hidden % heads !== 0) {
      const [name = "the hidden size"] = [...this.sizes].find(([, size]) => size === hidden) ?? [];
      throw new ConfigError(
        `Cannot build the ${this.path}: ${name} = ${hidden} is no multiple of ${key} = ${heads}`,
        `${this.path}.${key}`,
      );
    }
    return hidden / heads;
  }

  #fail(key: string, expected: string): never {
    const value = this.values[key];
    const found = value === undefined ? "missing" : typeof value === "number" ? value : shown(value);
    throw new ConfigError(
      `Cannot build the ${this.path}: ${this.path}.${key} is ${found}, expected ${expected}`,
      `${this.path}.${key}`,
    );
  }
}
