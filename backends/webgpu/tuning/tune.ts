// The shapes of products that are best on a device: they are timed when the backend is first loaded there, within half a second,
// and remembered. What is remembered is timed again, since no driver says its version: where it has become slower, all are.
import type { Device } from "../device/device.ts";
import type { GpuShapes, MatmulShape, MatvecShape, Profile } from "../device/profile.ts";
import { matmulCandidates, matmulClasses, matvecCandidates, matvecClasses, type ProductClass } from "./candidates.ts";
import { measure, type Trial } from "./measure.ts";
import type { Best, Found, TuningFile } from "./tuning_file.ts";

/** What kernels may take to compile, in milliseconds: a tuning takes half a second. */
const budget = 350;

/** How much slower than remembered the remembered shapes may be. */
const tolerance = 1.5;

/** What is tried. */
export interface Classes {
  readonly matvec: readonly ProductClass[];
  readonly matmul: readonly ProductClass[];
}

/**
 * A profile with the shapes that are best on a device; as it is where the device has no timestamps, or is none for these.
 *
 * @param options.key What is known of the device.
 * @param options.file Where what is found is remembered, if anywhere.
 */
export async function tuned(
  device: Device,
  profile: Profile,
  { key, file, classes = { matvec: matvecClasses, matmul: matmulClasses }, milliseconds = budget }: {
    readonly key: string;
    readonly file?: TuningFile;
    readonly classes?: Classes;
    readonly milliseconds?: number;
  },
): Promise<Profile> {
  const { gpu } = profile;
  if (!gpu) return profile;
  const name = `${key}; ${profile.name}`;
  const remembered = await file?.read(name);
  if (remembered && await stillHolds(device, profile, remembered, classes)) {
    return withShapes(profile, gpu, remembered, classes);
  }
  const found = await search(device, profile, classes, milliseconds);
  if (!found) return profile;
  await file?.write(name, found);
  return withShapes(profile, gpu, found, classes);
}

/** Try all candidates at all classes; undefined where a class has no time. */
async function search(
  device: Device,
  profile: Profile,
  classes: Classes,
  milliseconds: number,
): Promise<Found | undefined> {
  // A candidate's kernel is the same for all classes, so that candidates come one after the other.
  const all = <S extends MatvecShape | MatmulShape>(candidates: readonly S[], own: readonly ProductClass[]) =>
    candidates.flatMap((shape) => own.map((of): Trial<S> => ({ of, shape })));
  const [matvecs, matmuls] = [all(matvecCandidates, classes.matvec), all(matmulCandidates, classes.matmul)];
  const times = await measure(device, profile, [...matvecs, ...matmuls], milliseconds);
  const bestOf = (own: readonly ProductClass[], from: number, count: number): Best[] =>
    own.flatMap((_, i) => {
      const each = Array.from({ length: count }, (_, candidate) => (
        { candidate, microseconds: times[from + candidate * own.length + i] ?? Infinity }
      ));
      const best = each.reduce((a, b) => b.microseconds < a.microseconds ? b : a);
      // A clock that shows nothing shows no difference.
      return Number.isFinite(best.microseconds) && best.microseconds > 0 ? [best] : [];
    });
  const found = {
    matvec: bestOf(classes.matvec, 0, matvecCandidates.length),
    matmul: bestOf(classes.matmul, matvecs.length, matmulCandidates.length),
  };
  const isWhole = found.matvec.length === classes.matvec.length && found.matmul.length === classes.matmul.length;
  return isWhole ? found : undefined;
}

/** Whether what is remembered names candidates, and is about as fast as it was. */
async function stillHolds(device: Device, profile: Profile, found: Found, classes: Classes): Promise<boolean> {
  const trials = [
    ...found.matvec.map(({ candidate }, i) => ({ of: classes.matvec[i], shape: matvecCandidates[candidate] })),
    ...found.matmul.map(({ candidate }, i) => ({ of: classes.matmul[i], shape: matmulCandidates[candidate] })),
  ];
  const isWhole = found.matvec.length === classes.matvec.length && found.matmul.length === classes.matmul.length;
  if (!isWhole || trials.some(({ shape }) => shape === undefined)) return false;
  const times = await measure(device, profile, trials, Infinity);
  return [...found.matvec, ...found.matmul].every(({ microseconds }, i) => times[i]! <= tolerance * microseconds);
}

function withShapes(profile: Profile, gpu: GpuShapes, { matvec, matmul }: Found, classes: Classes): Profile {
  return {
    ...profile,
    gpu: {
      ...gpu,
      matvec: matvec.map(({ candidate }, i) => ({ ...matvecCandidates[candidate], ...classes.matvec[i].least })),
      matmul: matmul.map(({ candidate }, i) => ({ ...matmulCandidates[candidate], ...classes.matmul[i].least })),
    },
  };
}
