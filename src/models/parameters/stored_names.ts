// A model's parameters in a checkpoint that may spell them otherwise: under the names that Transformers 5 has in memory,
// in parts, or all with the prefix of what wrapped the model when it was saved.
import type { Checkpoint } from "../../checkpoint/mod.ts";
import type { Family, Renaming } from "../family.ts";
import { joinedWeight, type StoredWeight } from "../../weights/mod.ts";

/** A way to spell a parameter: its name, or those of the parts that are joined along its first axis. */
export type Spelling = readonly string[];

/** The weights of a checkpoint by the names of the model. */
export interface NamedWeights {
  /** The prefix of the model's names in the file, such as `module.`; empty where there is none. */
  prefix(): string;
  /** Whether there is a parameter. */
  has(name: string): boolean;
  /** Look for a parameter; what was found once counts as used. @throws {FormatError} If it is of a type that is not read. */
  find(name: string): StoredWeight | undefined;
  /** The names of the file's tensors that nobody found, as the file spells them. */
  unused(): string[];
}

/** Where programs that save a model from memory put it: Lightning, accelerate, PEFT, training scripts. */
const wrappers = /^(?:(?:state_dict|model_state_dict|model|module|base_model\.model)\.)+/;

/** Constants that files of earlier versions hold, which Transformers passes over without a word. */
const outdated =
  /(?:^|\.)(?:position_ids|relative_position_index|(?:cross)?att(?:entio)?n\.bias|(?:en|de)coder\.version)$/;

/** Every beginning of a name that may be a wrapper's: `a.b.` gives "", `a.` and `a.b.`. */
function prefixesOf(name: string): string[] {
  const whole = wrappers.exec(name)?.[0] ?? "";
  return [...whole].flatMap((character, i) => character === "." ? [whole.slice(0, i + 1)] : []);
}

/**
 * Match the names of a model and of a checkpoint. The prefix is the one that most of the model's names have.
 *
 * @param names The names of the model.
 * @param spellings The ways that a parameter may be spelled in the checkpoint, the likeliest first.
 */
export function matchNames(
  checkpoint: Checkpoint,
  names: readonly string[],
  spellings: (name: string) => Iterable<Spelling>,
): NamedWeights {
  const spelledAfter = (before: string, name: string): Spelling | undefined => {
    for (const way of spellings(name)) if (way.every((part) => checkpoint.has(before + part))) return way;
  };
  const prefixes = new Set(["", ...checkpoint.names().flatMap(prefixesOf)]);
  let prefix = "", most = -1;
  for (const candidate of prefixes) {
    const count = names.filter((name) => spelledAfter(candidate, name)).length;
    if (count > most) [prefix, most] = [candidate, count];
  }
  const used = new Set<string>();
  const spelling = (name: string) => spelledAfter(prefix, name);
  return {
    prefix() {
      const [first = ""] = [...used].filter((name) => checkpoint.fileName(name).endsWith(name.slice(prefix.length)));
      return checkpoint.fileName(first).slice(0, prefix.length - first.length || undefined);
    },
    has: (name) => spelling(name) !== undefined,
    find(name) {
      const way = spelling(name);
      if (way === undefined) return undefined;
      const parts = way.map((part) => {
        used.add(prefix + part);
        return checkpoint.find(prefix + part)!;
      });
      return parts.length === 1 ? parts[0] : joinedWeight(name, parts);
    },
    unused: () =>
      checkpoint.names()
        .filter((name) => !used.has(name) && !outdated.test(name))
        .map((name) => checkpoint.fileName(name)),
  };
}

/**
 * The ways that a parameter may be spelled: as files have it, and as other writers do, by the renamings of its family. The others
 * are made when they are asked for, which they rarely are.
 */
export function* spellingsOf(
  name: string,
  { inMemory, otherNames = [] }: Pick<Family<unknown>, "inMemory" | "otherNames">,
): Generator<Spelling> {
  yield [name];
  for (const renamings of [...(inMemory ? [inMemory] : []), ...otherNames]) yield renamed(name, renamings);
}

/** A parameter's name as another writer has it: several where that one keeps it in parts. */
export function renamed(name: string, renamings: readonly Renaming[]): Spelling {
  const parts = renamings.reduce<string[]>(
    (parts, [from, to]) => parts.flatMap((part) => [to].flat().map((one) => part.replace(from, one))),
    [name],
  );
  return [...new Set(parts)];
}
