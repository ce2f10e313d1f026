// The state of the Hub for a person who looks for a fault: its address, whether it answers, the token, the cache.
import { HubError } from "../errors/mod.ts";
import { hubCacheFolder, hubEndpoint, hubToken, isOffline } from "./environment.ts";
import { request } from "./network/request.ts";

/** The Hub and its cache as this process would use them. */
export interface HubState {
  readonly endpoint: string;
  readonly offline: boolean;
  readonly reachable: boolean;
  /** Why it is not reachable; empty if it is, or if it was not asked. */
  readonly reason: string;
  /** Whether there is a token; never the token. */
  readonly token: boolean;
  readonly cache: string | undefined;
  /** The bytes of all blobs; undefined if there is no cache yet. */
  readonly cacheBytes: number | undefined;
  /** Why the cache cannot be written; empty if it can. */
  readonly cacheReason: string;
}

/** Ask the Hub whether it answers, and inspect its cache. */
export async function inspectHub(): Promise<HubState> {
  const [endpoint, offline, cache] = [hubEndpoint(), isOffline(), hubCacheFolder()];
  const [reason, token, cacheBytes, cacheReason] = await Promise.all([
    offline ? "" : whyUnreachable(endpoint),
    hubToken().then((token) => token !== undefined),
    cache && folderBytes(cache),
    cache ? whyUnwritable(cache) : "",
  ]);
  return {
    ...{ endpoint, offline, reachable: !offline && reason === "", reason, token, cache },
    ...{ cacheBytes: cacheBytes || undefined, cacheReason },
  };
}

async function whyUnreachable(endpoint: string): Promise<string> {
  const url = URL.parse(endpoint);
  if (!url) return "it is no valid address";
  try {
    using answer = await request(url, { timeouts: { answer: 5000 } });
    return answer.status < 500 ? "" : `the server answered ${answer.status}`;
  } catch (error) {
    if (error instanceof HubError) return error.message.replace(/^Cannot fetch \S+: /, "");
    throw error;
  }
}

/** The bytes of the blobs in a cache; links are not followed. */
async function folderBytes(folder: string): Promise<number> {
  let bytes = 0;
  try {
    for await (const { name, isDirectory, isFile } of Deno.readDir(folder)) {
      if (isDirectory) bytes += await folderBytes(`${folder}/${name}`);
      if (isFile) bytes += (await Deno.lstat(`${folder}/${name}`)).size;
    }
  } catch { /* a folder that does not exist, or may not be read, counts as empty */ }
  return bytes;
}

/** Why nothing can be written below a folder, by trying the nearest folder that exists; empty if it can. */
async function whyUnwritable(folder: string): Promise<string> {
  let at = folder;
  while (at.includes("/") && !await Deno.stat(at).then(() => true, () => false)) at = at.slice(0, at.lastIndexOf("/"));
  try {
    await Deno.remove(await Deno.makeTempFile({ dir: at || "/", prefix: ".limner-" }));
    return "";
  } catch (error) {
    return (error as Error).message;
  }
}
