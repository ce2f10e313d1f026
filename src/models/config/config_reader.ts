// Configurations: plain objects with config.json's own keys, and how a model reads them. Unknown keys are kept.
import { ConfigError } from "../../errors/mod.ts";

/** A configuration of one model, with the keys of its config.json. */
export interface PretrainedConfig {
  model_type: string;
  [key: string]: unknown;
}

/** A configuration's fields by key, whatever model they are of. */
export type Fields = Readonly<Record<string, unknown>>;

/** The keys of a classifier's labels, which every configuration has. */
export function labelsOf(count: number): { id2label: Record<string, string>; label2id: Record<string, number> } {
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
  const names = ["stem", ...Array.from({ length: count }, (_, n) => `stage${n + 1}`)];
  const { out_features: features, out_indices: indices } = given;
  if (Array.isArray(features)) return { stage_names: names, out_indices: features.map((name) => names.indexOf(name)) };
  const chosen: number[] = Array.isArray(indices) ? indices : [count];
  return { stage_names: names, out_features: chosen.map((n) => names.at(n)), out_indices: chosen };
}

/** Reads a configuration's fields and says which one is at fault. */
export class ConfigReader {
  /**
   * @param values The configuration, defaults filled in.
   * @param path Where it stands in config.json: `encoder`, `decoder`.
   */
  constructor(readonly values: Readonly<Record<string, unknown>>, readonly path: string) {}

  /** A whole number of at least `least` (default 1) and at most `most`. @throws {ConfigError} If it is something else. */
  whole(key: string, least = 1, most = Infinity): number {
    const value = this.values[key];
    if (typeof value !== "number" || !Number.isInteger(value) || value < least || value > most) {
      this.#fail(key, `a whole number of at least ${least}${most < Infinity ? ` and at most ${most}` : ""}`);
    }
    return value as number;
  }

  /** A finite number. @throws {ConfigError} If it is something else. */
  number(key: string): number {
    const value = this.values[key];
    if (typeof value !== "number" || !Number.isFinite(value)) this.#fail(key, "a number");
    return value as number;
  }

  /** A truth value; null is false. @throws {ConfigError} If it is something else. */
  flag(key: string): boolean {
    const value = this.values[key] ?? false;
    if (typeof value !== "boolean") this.#fail(key, "true or false");
    return value as boolean;
  }

  /** Height and width, given as one number or a pair. @throws {ConfigError} If it is something else. */
  pair(key: string): [height: number, width: number] {
    const value = this.values[key];
    const both = Array.isArray(value) ? value : [value, value];
    if (both.length !== 2 || both.some((n) => !Number.isInteger(n) || n < 1)) {
      this.#fail(key, "a whole number or a pair of them");
    }
    return [both[0], both[1]];
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
      throw new ConfigError(
        `Cannot build the ${this.path}: the hidden size ${hidden} is no multiple of ${key} = ${heads}`,
        `${this.path}.${key}`,
      );
    }
    return hidden / heads;
  }

  #fail(key: string, expected: string): never {
    const value = this.values[key];
    const found = value === undefined ? "missing" : typeof value === "number" ? value : JSON.stringify(value);
    throw new ConfigError(
      `Cannot build the ${this.path}: ${this.path}.${key} is ${found}, expected ${expected}`,
      `${this.path}.${key}`,
    );
  }
}
