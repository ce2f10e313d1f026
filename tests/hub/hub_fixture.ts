// A Hub of this machine and an empty cache, for one test.
import { HubRepository, type HubRepositoryOptions } from "../../src/hub/hub_repository.ts";
import { HubServer } from "./hub_server.ts";

/** A Hub on this machine and an empty cache. */
export interface HubFixture {
  readonly server: HubServer;
  readonly cacheDir: string;
  /** Open a repository, with very short waits before retries. */
  open(name: string, options?: HubRepositoryOptions): Promise<HubRepository>;
}

/** Run a test with a Hub and a cache of its own, which are removed afterwards. */
export async function withHub(use: (place: HubFixture) => Promise<void>): Promise<void> {
  await using server = new HubServer();
  const cacheDir = await Deno.makeTempDir({ prefix: "limner_hub_" });
  try {
    const open: HubFixture["open"] = (name, options) =>
      HubRepository.create(name, { endpoint: server.url, cacheDir, token: "", retryPolicy: { wait: 2 }, ...options });
    await use({ server, cacheDir, open });
  } finally {
    await Deno.remove(cacheDir, { recursive: true });
  }
}

/** Repeatable pseudo-random bytes. */
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

/** The folder of a repository in a cache. */
export function folderOf(cacheDir: string, name: string): string {
  return `${cacheDir}/models--${name.replace("/", "--")}`;
}
