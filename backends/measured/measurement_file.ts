// What was measured of devices, kept in a file in the user's cache between runs, by what is known of the device.

/** A file that cannot be read, or is none of ours, is as one that is not there. */
export class MeasurementFile<T> {
  /**
   * @param path Its path.
   * @param options.version Another number where what is measured, or how, changes.
   * @param options.isOurs Whether a value of the file is a measurement.
   */
  constructor(
    readonly path: string,
    readonly options: { readonly version: number; readonly isOurs: (value: unknown) => value is T },
  ) {}

  /** What was measured of a device. @param key What is known of it. */
  async read(key: string): Promise<T | undefined> {
    const found = (await this.#all())[this.#keyOf(key)];
    return this.options.isOurs(found) ? found : undefined;
  }

  /** Keep what was measured; it is written beside the file and renamed. Where that fails it is measured again next time. */
  async write(key: string, measured: T): Promise<void> {
    const part = `${this.path}.${crypto.randomUUID()}.part`;
    try {
      const all = { ...await this.#all(), [this.#keyOf(key)]: measured };
      await Deno.mkdir(this.path.slice(0, this.path.lastIndexOf("/")), { recursive: true });
      await Deno.writeTextFile(part, JSON.stringify(all));
      await Deno.rename(part, this.path);
    } catch (error) {
      if (!(error instanceof Error)) throw error;
      await Deno.remove(part).catch(() => {}); // it may not be there, nor be allowed to go
    }
  }

  #keyOf(key: string): string {
    return `${key}; Deno ${Deno.version.deno}; ${this.options.version}`;
  }

  async #all(): Promise<Record<string, unknown>> {
    try {
      const all = JSON.parse(await Deno.readTextFile(this.path));
      return all !== null && typeof all === "object" && !Array.isArray(all) ? all : {};
    } catch {
      return {};
    }
  }
}

/** The path of a file in the user's cache; undefined where that is not known, or may not be used without asking. */
export async function pathInCache(name: string): Promise<string | undefined> {
  const { Deno } = globalThis;
  if (!Deno) return undefined;
  const granted = async (descriptor: Deno.PermissionDescriptor) =>
    (await Deno.permissions.query(descriptor)).state === "granted";
  const variables = ["XDG_CACHE_HOME", "HOME", "LOCALAPPDATA"];
  for (const variable of variables) if (!await granted({ name: "env", variable })) return undefined;
  const [cache, home, local] = variables.map((name) => Deno.env.get(name));
  const folder = cache || (home ? `${home}/.cache` : local);
  if (!folder) return undefined;
  const path = `${folder}/limner/${name}`;
  const mayUse = await granted({ name: "read", path }) && await granted({ name: "write", path: `${folder}/limner` });
  return mayUse ? path : undefined;
}
