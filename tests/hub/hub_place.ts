// A Hub of this machine and an empty cache, for one test.
import { HubRepository, type HubRepositoryOptions } from "../../src/hub/hub_repository.ts";
import { HubServer } from "./hub_server.ts";

/** What a test of the Hub works with. */
export interface HubPlace {
  readonly server: HubServer;
  readonly cacheDir: string;
  /** Open a repository, with hardly any wait before a request is made again. */
  open(name: string, options?: HubRepositoryOptions): Promise<HubRepository>;
}

/** Run a test with a Hub and a cache of its own. */
export async function withHub(use: (place: HubPlace) => Promise<void>): Promise<void> {
  await using server = new HubServer();
  const cacheDir = await Deno.makeTempDir({ prefix: "limner_hub_" });
  try {
    const open: HubPlace["open"] = (name, options) =>
      HubRepository.create(name, { endpoint: server.url, cacheDir, token: "", retryPolicy: { wait: 2 }, ...options });
    await use({ server, cacheDir, open });
  } finally {
    await Deno.remove(cacheDir, { recursive: true });
  }
}

/** Bytes of chance that are the same each time. */
export function noise(size: number, seed = 1): Uint8Array<ArrayBuffer> {
  const words = new Uint32Array(Math.ceil(size / 4));
  let state = seed * 2654435761 >>> 0;
  for (let i = 0; i < words.length; i++) {
    state ^= state << 13;
    state ^= state >>> 17;
    words[i] = state ^= state << 5;
  }
  return new Uint8Array(words.buffer).subarray(0, size);
}

/** The names of the files in a folder, sorted; none if there is no such folder. */
export async function namesIn(folder: string): Promise<string[]> {
  try {
    return (await Array.fromAsync(Deno.readDir(folder))).map(({ name }) => name).sort();
  } catch {
    return [];
  }
}

/** The one folder that a repository has in a cache. */
export function folderOf(cacheDir: string, name: string): string {
  return `${cacheDir}/models--${name.replace("/", "--")}`;
}
