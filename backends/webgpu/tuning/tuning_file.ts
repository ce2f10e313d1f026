// What was found on devices, kept in a file between runs, by what is known of the device and by what compiles its kernels.
import { MeasurementFile, pathInCache } from "../../measured/measurement_file.ts";

/** What was found, for a family of kernels the number of the best candidate of each class, and its microseconds. */
export interface Found {
  readonly matvec: readonly Best[];
  readonly matmul: readonly Best[];
}

/** The best candidate of a class. */
export interface Best {
  readonly candidate: number;
  readonly microseconds: number;
  /** How many of the family's candidates were tried; the others are at the next load. */
  readonly tried: number;
}

/** Another number where kernels or candidates change. */
const version = 2;

/** The file of what was found. */
export class TuningFile extends MeasurementFile<Found> {
  constructor(path: string) {
    super(path, { version, isOurs: isFound });
  }

  /** The file in the user's cache; undefined where that is not known, or may not be used without asking. */
  static async ofUser(): Promise<TuningFile | undefined> {
    const path = await pathInCache("webgpu-tuning.json");
    return path === undefined ? undefined : new TuningFile(path);
  }
}

function isFound(value: unknown): value is Found {
  const lists = [(value as Found | undefined)?.matvec, (value as Found | undefined)?.matmul];
  return lists.every((list) =>
    Array.isArray(list) &&
    list.every((best) =>
      Number.isInteger(best?.candidate) && best.candidate >= 0 && best.microseconds > 0 && best.tried > 0
    )
  );
}
