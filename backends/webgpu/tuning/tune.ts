// The shapes of products that are best on a device: they are timed when the backend is loaded there, for less than half a second,
// and remembered; what there was no time for is tried at the next load. What is remembered of a GPU is timed again, since no
// driver says its version: where it has become slower, all are.
import type { Device } from "../device/device.ts";
import type { Profile } from "../device/profile.ts";
import type { Classes } from "./candidates.ts";
import { measure, type Trial } from "./measure.ts";
import { familyNames, type Tuning, tuningOf } from "./tunings.ts";
import type { Best, Found, TuningFile } from "./tuning_file.ts";

/** What compiling kernels may take on a GPU, in milliseconds: a tuning takes half a second. */
const budget = 350;

/** On a processor, where the kernel that is begun last may itself take a third of a second. */
const softwareBudget = 180;

/** How much slower than remembered the remembered shapes may be. */
const tolerance = 1.5;

/** How much less time than those before it a candidate must take. */
const gain = 0.9;

/**
 * A profile with the shapes that are best on a device; as it is where the device has no timestamps, or there is nothing to choose.
 *
 * @param options.key What is known of the device.
 * @param options.file Where what is found is remembered, if anywhere; without it a processor tries nothing.
 */
export async function tuned(
  device: Device,
  profile: Profile,
  { key, file, classes, milliseconds }: {
    readonly key: string;
    readonly file?: TuningFile;
    readonly classes?: Classes;
    readonly milliseconds?: number;
  },
): Promise<Profile> {
  const tuning = tuningOf(profile, classes);
  if (!tuning || tuning.isSoftware && !file) return profile;
  const name = `${key}; ${profile.name}`;
  const remembered = await file?.read(name);
  const known = remembered && await stillHolds(device, tuning, remembered) ? remembered : undefined;
  if (known && familyNames.every((family) => isTried(tuning, known, family))) return chosen(tuning, known);
  const found = await search(device, tuning, known, milliseconds ?? (tuning.isSoftware ? softwareBudget : budget));
  if (!found) return profile;
  await file?.write(name, found);
  return chosen(tuning, found);
}

type FamilyName = typeof familyNames[number];

/** How many of a family's candidates were tried. */
const triedOf = (found: Found | undefined, name: FamilyName): number => found?.[name][0]?.tried ?? 0;

const isTried = ({ families }: Tuning, found: Found, name: FamilyName): boolean =>
  triedOf(found, name) >= families[name].candidates.length;

/** A candidate that is timed at all classes of a family. */
interface Attempt {
  readonly name: FamilyName;
  readonly candidate: number;
  readonly trials: readonly Trial[];
}

/**
 * What is tried of a family, in batches: the best of what was tried, with the first of what was not, which it would otherwise
 * never come to where there is little time.
 */
function attempts({ families }: Tuning, known: Found | undefined, name: FamilyName): Attempt[][] {
  const { candidates, classes } = families[name];
  const attempt = (candidate: number): Attempt => (
    { name, candidate, trials: classes.map((of) => ({ of, kernel: candidates[candidate] })) }
  );
  const [first, ...rest] = candidates.map((_, candidate) => [attempt(candidate)]).slice(triedOf(known, name));
  if (!first) return [];
  const best = new Set(known?.[name].map(({ candidate }) => candidate));
  return [[...[...best].map(attempt), ...first], ...rest];
}

/** Try candidates; undefined where a class of a GPU's has no time. */
async function search(
  device: Device,
  tuning: Tuning,
  known: Found | undefined,
  milliseconds: number,
): Promise<Found | undefined> {
  // A candidate's kernel is the same for all classes, so that candidates come one after the other.
  const batches = familyNames.flatMap((name) => attempts(tuning, known, name));
  const trials = batches.map((batch) => batch.flatMap((attempt) => attempt.trials));
  const times = await measure(device, tuning, tuning.isSoftware ? trials : [trials.flat()], milliseconds);
  const bestOf = (name: FamilyName): Best[] => {
    const isTimed = ({ trials }: Attempt) => trials.every((trial) => times.has(trial));
    const timed = batches.flat().filter((attempt) => attempt.name === name && isTimed(attempt));
    if (timed.length === 0) return [...known?.[name] ?? []];
    const tried = Math.max(triedOf(known, name), ...timed.map(({ candidate }) => candidate + 1));
    return tuning.families[name].classes.map((_, i) =>
      timed.map(({ candidate, trials }) => ({ candidate, microseconds: times.get(trials[i])!, tried }))
        .reduce((a, b) => b.microseconds < gain * a.microseconds ? b : a)
    );
  };
  const found = { matvec: bestOf("matvec"), matmul: bestOf("matmul") };
  const isWhole = familyNames.some((name) => found[name].length > 0) &&
    (tuning.isSoftware || familyNames.every((name) => found[name].length > 0));
  return isWhole ? found : undefined;
}

/** Whether what is remembered names candidates of all classes, and is about as fast on a GPU as it was. */
async function stillHolds(device: Device, tuning: Tuning, found: Found): Promise<boolean> {
  const trials = familyNames.flatMap((name) => {
    const { candidates, classes } = tuning.families[name];
    return found[name].map(({ candidate, microseconds }, i) => (
      { microseconds, trial: { of: classes[i], kernel: candidates[candidate] } }
    ));
  });
  const isWhole = familyNames.every((name) => {
    const count = found[name].length;
    return count === tuning.families[name].classes.length || tuning.isSoftware && count === 0;
  });
  if (!isWhole || trials.some(({ trial }) => trial.kernel === undefined)) return false;
  if (tuning.isSoftware) return true;
  const times = await measure(device, tuning, [trials.map(({ trial }) => trial)], Infinity);
  return trials.every(({ microseconds, trial }) => times.get(trial)! <= tolerance * microseconds);
}

/** The profile with what was found; of a family of which nothing is known yet, the first candidate, which is the usual. */
function chosen(tuning: Tuning, found: Found): Profile {
  const choices = (name: FamilyName) => tuning.families[name].classes.map((_, i) => found[name][i]?.candidate ?? 0);
  return tuning.choose({ matvec: choices("matvec"), matmul: choices("matmul") });
}
