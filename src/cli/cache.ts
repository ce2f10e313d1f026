// `caption.ts cache`: the weights that were converted to load faster; `cache clear` removes them. The Hub's own cache is
// Python's too, and is left alone.
import { clearConverted, listConverted } from "../model/converted_weights.ts";
import { OptionError } from "../errors/mod.ts";
import { formatBytes, formatCount } from "./_units.ts";
import type { Console } from "./console.ts";

/**
 * List or clear the cache.
 *
 * @param what `clear`; undefined to list.
 * @returns The exit code 0.
 * @throws {OptionError} If `what` is something else.
 */
export async function cache(what: string | undefined, console: Console): Promise<number> {
  if (what !== undefined && what !== "clear") {
    throw new OptionError(`Cannot do ${what} with the cache: expected clear, or nothing to list it`);
  }
  const { folder, weights } = await listConverted();
  const bytes = weights.reduce((sum, weight) => sum + weight.bytes, 0);
  if (what === "clear") {
    await clearConverted();
    console.say(`removed ${formatCount(weights.length, "converted model")}, ${formatBytes(bytes)}`);
    return 0;
  }
  for (const { name, bytes, folder } of weights) console.print(`${name}\t${formatBytes(bytes)}\t${folder}\n`);
  console.say(
    `${formatCount(weights.length, "converted model")}, ${formatBytes(bytes)}, in ${
      folder ?? "no folder that is known"
    }`,
  );
  return 0;
}
