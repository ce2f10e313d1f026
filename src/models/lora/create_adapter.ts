// A new adapter of a model: which layers, by name, and how large.
import { OptionError } from "../../errors/mod.ts";
import { demand, type Limits } from "../../limits/mod.ts";
import type { Tensor } from "../../tensor/mod.ts";
import type { LoadedAdapter } from "./adapter_file.ts";
import type { LinearLayer } from "./linear_layers.ts";
import { initialLora, type LoraLayer } from "./lora_adapter.ts";
import { allLinear } from "./target_modules.ts";

/** What an adapter is to be like. */
export interface LoraOptions {
  /** The rows of each A, and columns of each B: at most the smaller side of the largest matrix that is adapted. */
  readonly rank: number;
  /** What the adapter's products are multiplied by, times the rank. */
  readonly alpha: number;
  /** The share of a layer's inputs that training drops before A. @default 0 */
  readonly dropout?: number;
  /**
   * The layers: names or endings of names such as `"q_proj"`, as PEFT's target_modules, with the names that modules have in
   * Transformers' memory or, where none has one, in files; or a pattern of either name; or `"all-linear"`, all but the head.
   */
  readonly targets: readonly string[] | RegExp | "all-linear";
  /** Divide alpha by the rank's square root and not by the rank (rsLoRA). @default false */
  readonly rankStabilized?: boolean;
  /** Makes the random numbers of A. @default 0 */
  readonly seed?: number;
}

/** Names of layers, for messages: the last ones of their paths. */
const namesOf = (layers: readonly LinearLayer[]) =>
  [...new Set(layers.flatMap(({ modules }) => modules.map((module) => module.split(".").at(-1))))].join(", ");

/** The layers that options name. @throws {OptionError} If one of the names is of none. */
function targetLayers({ targets }: LoraOptions, layers: readonly LinearLayer[]): LinearLayer[] {
  if (targets === allLinear) return layers.filter(({ isHead }) => !isHead);
  const matching = (paths: (layer: LinearLayer) => readonly string[], matches: (path: string) => boolean) =>
    layers.filter((layer) => paths(layer).some(matches));
  const found = new Set<LinearLayer>();
  for (const target of [targets].flat() as readonly (string | RegExp)[]) {
    const matches = (path: string) =>
      typeof target === "string" ? path === target || path.endsWith(`.${target}`) : path.search(target) >= 0;
    const named = matching(({ modules }) => modules, matches);
    const all = named.length > 0 ? named : matching(({ path }) => [path], matches);
    if (all.length === 0) {
      throw new OptionError(
        `Cannot adapt the layers ${typeof target === "string" ? `"${target}"` : target}: the model has none of that ` +
          `name; its layers' names end in ${namesOf(layers)}`,
      );
    }
    all.forEach((layer) => found.add(layer));
  }
  return layers.filter((layer) => found.has(layer));
}

const known: readonly string[] = ["rank", "alpha", "dropout", "targets", "rankStabilized", "seed"];

function refuse(option: string, value: unknown, expected: string): never {
  throw new OptionError(`Cannot make an adapter with the option ${option}: it is ${value}, expected ${expected}`);
}

/** @throws {OptionError} If an option does not exist or is out of its range. */
function check({ rank, alpha, dropout = 0, targets, ...others }: LoraOptions): void {
  const unknown = Object.keys(others).find((option) => !known.includes(option));
  if (unknown !== undefined) {
    throw new OptionError(
      `Cannot make an adapter with the option "${unknown}": it does not exist; the options are ${known.join(", ")}`,
    );
  }
  if (!Number.isSafeInteger(rank) || rank < 1) refuse('"rank"', rank, "a positive whole number");
  if (!Number.isFinite(alpha)) refuse('"alpha"', alpha, "a number");
  if (!(dropout >= 0 && dropout < 1)) refuse('"dropout"', dropout, "a number from 0 to less than 1");
  const isList = Array.isArray(targets) && targets.length > 0 && targets.every((one) => typeof one === "string");
  if (!isList && !(targets instanceof RegExp) && targets !== allLinear) {
    refuse('"targets"', JSON.stringify(targets), `names, a RegExp, or "${allLinear}"`);
  }
}

/**
 * @throws {OptionError} If a rank is higher than that of any matrix which is adapted. PEFT takes it, and each A and B then
 * hold numbers that no product of them needs.
 */
function checkRank(rank: number, targets: readonly LinearLayer[]): void {
  const most = Math.max(...targets.map(({ inputs, outputs }) => Math.min(inputs, outputs)));
  if (rank <= most) return;
  const reason =
    "the smaller side of the largest matrix that is adapted, since no change of a matrix has a higher rank";
  refuse('"rank" (--lora)', rank, `at most ${most}: ${reason}`);
}

/**
 * Make an adapter that changes nothing yet.
 *
 * @param layers The layers of the model it is for.
 * @throws {OptionError} If an option does not exist or is out of its range, or names no layer or one that is in parts.
 * @throws {LimitError} If it has more numbers than the limits allow.
 */
export function createAdapter(options: LoraOptions, layers: readonly LinearLayer[], limits: Limits): LoadedAdapter {
  check(options);
  const { rank, alpha, dropout = 0, rankStabilized = false, seed = 0 } = options;
  const targets = targetLayers(options, layers);
  const joined = targets.find(({ modules }) => modules.length > 1);
  if (joined) {
    const parts = joined.modules.join(" and ");
    throw new OptionError(`Cannot adapt "${joined.path}": Transformers has it in parts, as ${parts}, and files joined`);
  }
  checkRank(rank, targets);
  const numbers = targets.reduce((sum, { inputs, outputs }) => sum + rank * (inputs + outputs), 0);
  demand(limits, "maxParameters", numbers, { task: "Cannot make the adapter", because: `its rank is ${rank}` });
  const adapted = new Map<string, LoraLayer>();
  const values = new Map<string, Tensor>();
  for (const { path, inputs, outputs } of targets) {
    adapted.set(path, { rank, alpha });
    for (const [name, value] of initialLora(path, { rank, inputs, outputs, seed })) values.set(name, value);
  }
  return { adapter: { layers: adapted, dropout, rankStabilized }, values };
}
