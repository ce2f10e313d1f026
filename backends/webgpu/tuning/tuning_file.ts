// What was found on devices, kept in a file between runs, by what is known of the device and by what compiles its kernels.

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

/** A file that cannot be read, or is none of ours, is as one that is not there. */
export class TuningFile {
  /** @param path Its path. */
  constructor(readonly path: string) {}

  /** The file in the user's cache; undefined where that is not known, or may not be used without asking. */
  static async ofUser(): Promise<TuningFile | undefined> {
    const { Deno } = globalThis;
    if (!Deno) return undefined;
    const granted = async (descriptor: Deno.PermissionDescriptor) =>
      (await Deno.permissions.query(descriptor)).state === "granted";
    const variables = ["XDG_CACHE_HOME", "HOME", "LOCALAPPDATA"];
    for (const variable of variables) if (!await granted({ name: "env", variable })) return undefined;
    const [cache, home, local] = variables.map((name) => Deno.env.get(name));
    const folder = cache || (home ? `${home}/.cache` : local);
    if (!folder) return undefined;
    const path = `${folder}/limner/webgpu-tuning.json`;
    const mayUse = await granted({ name: "read", path }) && await granted({ name: "write", path: `${folder}/limner` });
    return mayUse ? new TuningFile(path) : undefined;
  }

  /** What was found on a device. @param key What is known of it. */
  async read(key: string): Promise<Found | undefined> {
    const found = (await this.#all())[this.#keyOf(key)];
    return isFound(found) ? found : undefined;
  }

  /** Keep what was found; it is written beside the file and renamed. Where that fails it is found again next time. */
  async write(key: string, found: Found): Promise<void> {
    const part = `${this.path}.${crypto.randomUUID()}.part`;
    try {
      const all = { ...await this.#all(), [this.#keyOf(key)]: found };
      await Deno.mkdir(this.path.slice(0, this.path.lastIndexOf("/")), { recursive: true });
      await Deno.writeTextFile(part, JSON.stringify(all));
      await Deno.rename(part, this.path);
    } catch (error) {
      if (!(error instanceof Error)) throw error;
      await Deno.remove(part).catch(() => {}); // it may not be there, nor be allowed to go
    }
  }

  #keyOf(key: string): string {
    return `${key}; Deno ${Deno.version.deno}; ${version}`;
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

function isFound(value: unknown): value is Found {
  const lists = [(value as Found | undefined)?.matvec, (value as Found | undefined)?.matmul];
  return lists.every((list) =>
    Array.isArray(list) &&
    list.every((best) =>
      Number.isInteger(best?.candidate) && best.candidate >= 0 && best.microseconds > 0 && best.tried > 0
    )
  );
}
