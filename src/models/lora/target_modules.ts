// Which layers an adapter adapts, by PEFT's rules (check_target_module_exists): a list of names or endings of names, a regular
// expression of the whole name, or "all-linear".
import { ConfigError } from "../../errors/mod.ts";

/** The rules that say which modules are adapted. */
export interface TargetRules {
  readonly targets: string | readonly string[];
  /** What is left out, though `targets` say otherwise. */
  readonly exclude?: string | readonly string[];
  /** With a list as `targets`: only layers of these numbers. */
  readonly layers?: readonly number[];
  /** Where a layer's number follows, such as `h`. @default anywhere */
  readonly layersPattern?: readonly string[];
}

/** What stands for all fully connected layers but the head. */
export const allLinear = "all-linear";

/**
 * A pattern of Python's re that a text must match.
 *
 * @param key Where it stands, for messages.
 * @throws {ConfigError} If it is none, or has what only Python knows.
 */
export function pythonPattern(pattern: string, key: string): RegExp {
  // Python spells named groups otherwise.
  const spelled = pattern.replaceAll("(?P<", "(?<").replace(/\(\?P=(\w+)\)/g, "\\k<$1>");
  try {
    return new RegExp(spelled);
  } catch (error) {
    const reason = (error as Error).message.replace(/^Invalid regular expression: /, "");
    throw new ConfigError(`Cannot read the adapter: ${key} is no regular expression: ${reason}`, key);
  }
}

/** Whether a module is named by a list, or matched by a pattern. */
function isNamed(module: string, names: string | readonly string[], key: string): boolean {
  if (typeof names === "string") return pythonPattern(`^(?:${names})$`, key).test(module);
  return names.some((name) => module === name || module.endsWith(`.${name}`));
}

/** The number of the layer that a module is in; undefined where it is in none. */
function layerNumber(module: string, patterns: readonly string[] | undefined): number | undefined {
  const found = patterns?.length
    ? patterns.map((pattern) => pythonPattern(`^(?:.*?\\.)?(?:${pattern})\\.(\\d+)\\.`, "layers_pattern").exec(module))
      .find((match) => match)
    : /^.*?\.[^.]*\.(\d+)\./.exec(module);
  return found ? Number(found.at(-1)) : undefined;
}

/**
 * Whether a module is adapted.
 *
 * @param module Its path in memory.
 * @param isHead Whether it predicts tokens, which "all-linear" leaves out.
 * @throws {ConfigError} If a pattern is no regular expression.
 */
export function isTarget(module: string, rules: TargetRules, isHead: boolean): boolean {
  const { targets, exclude, layers, layersPattern } = rules;
  if (exclude?.length && isNamed(module, exclude, "exclude_modules")) return false;
  if (typeof targets === "string" && targets.toLowerCase() === allLinear) return !isHead;
  if (!isNamed(module, targets, "target_modules")) return false;
  if (typeof targets === "string" || !layers?.length) return true;
  const number = layerNumber(module, layersPattern);
  return number !== undefined && layers.includes(number);
}

/** The value of the first pattern that a module's ending matches, as PEFT's rank_pattern and alpha_pattern have it. */
export function valueFor(
  module: string,
  patterns: Readonly<Record<string, number>>,
  otherwise: number,
  key: string,
): number {
  for (const [pattern, value] of Object.entries(patterns)) {
    if (pythonPattern(`^(?:.*\\.)?(?:${pattern})$`, key).test(module)) return value;
  }
  return otherwise;
}
