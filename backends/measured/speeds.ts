// The speeds of the devices of a machine: measured when they are first asked for, and remembered in the user's cache.
import type { Backend, BackendReport, ModelWork } from "../../src/graph/mod.ts";
import { describeSpeed } from "./faster_backend.ts";
import { MeasurementFile, pathInCache } from "./measurement_file.ts";
import { measureRates } from "./measure_rates.ts";
import { isRates, type Rates } from "./rates.ts";

/** Another number where what is measured changes, or kernels become faster. */
const version = 1;

/** The speeds that a file has, and those that were measured since. */
export class Speeds {
  readonly #file: MeasurementFile<Rates> | undefined;

  /**
   * @param path Where speeds are remembered, if anywhere.
   * @param measure Measures a backend's device.
   */
  constructor(path?: string, readonly measure: (backend: Backend) => Promise<Rates> = measureRates) {
    if (path !== undefined) this.#file = new MeasurementFile(path, { version, isOurs: isRates });
  }

  /** Those in the user's cache; remembered nowhere where that may not be used without asking. */
  static async ofUser(): Promise<Speeds> {
    return new Speeds(await pathInCache("speeds.json"));
  }

  /** What is remembered of a device. */
  async known(device: Pick<BackendReport, "name" | "device">): Promise<Rates | undefined> {
    return await this.#file?.read(keyOf(device));
  }

  /** What is remembered of a device, or else measured. @param backend Loads it. */
  async of(device: Pick<BackendReport, "name" | "device">, backend: () => Promise<Backend>): Promise<Rates> {
    const known = await this.known(device);
    if (known) return known;
    const rates = await this.measure(await backend());
    await this.#file?.write(keyOf(device), rates);
    return rates;
  }
}

/** A home folder may be that of several machines: what runs on the processor is kept by what is known of that. */
function keyOf({ name, device }: Pick<BackendReport, "name" | "device">): string {
  const { target } = globalThis.Deno?.build ?? {};
  return [name, device, ...name === "webgpu" ? [] : [target, navigator.hardwareConcurrency]].join("; ");
}

/** Reports with the speeds of their devices, where they are known. */
export async function describeSpeeds(
  reports: readonly BackendReport[],
  work?: ModelWork,
  speeds?: Speeds,
): Promise<BackendReport[]> {
  speeds ??= await Speeds.ofUser();
  return await Promise.all(reports.map(async (report) => {
    const rates = report.available ? await speeds.known(report) : undefined;
    return rates ? { ...report, speed: describeSpeed(rates, work) } : report;
  }));
}
