// The environment variables that concern the Hub: its address, the user's token, the cache's folder. A variable that Deno
// has no permission to read counts as not set.

/** A variable's value; undefined where it is not set, empty, or may not be read. */
export function environmentVariable(name: string): string | undefined {
  if (Deno.permissions.querySync({ name: "env", variable: name }).state !== "granted") return undefined;
  return Deno.env.get(name) || undefined;
}

/** Whether a variable is set to a value that Python's huggingface_hub takes for true. */
export function isEnabled(name: string): boolean {
  return /^(1|on|yes|true)$/i.test(environmentVariable(name) ?? "");
}

/** The folder that Hugging Face's tools keep their files in: HF_HOME, in XDG_CACHE_HOME, or in ~/.cache. */
function hubHome(): string | undefined {
  const home = environmentVariable("HOME") ?? environmentVariable("USERPROFILE");
  const caches = environmentVariable("XDG_CACHE_HOME") ?? (home && `${home}/.cache`);
  return expandHome(environmentVariable("HF_HOME"), home) ?? (caches && `${caches}/huggingface`);
}

function expandHome(path: string | undefined, home: string | undefined): string | undefined {
  return path && home ? path.replace(/^~(?=$|[/\\])/, home) : path;
}

/** The folder of the cache that Python uses too: HF_HUB_CACHE, or `hub` in the home of Hugging Face's tools. */
export function hubCacheFolder(): string | undefined {
  const home = environmentVariable("HOME") ?? environmentVariable("USERPROFILE");
  const named = environmentVariable("HF_HUB_CACHE") ?? environmentVariable("HUGGINGFACE_HUB_CACHE");
  const folder = hubHome();
  return expandHome(named, home) ?? (folder && `${folder}/hub`);
}

/** The folder of Limner's own cache: LIMNER_CACHE, or `limner` in the user's folder for caches. */
export function limnerCacheFolder(): string | undefined {
  const home = environmentVariable("HOME") ?? environmentVariable("USERPROFILE");
  const caches = environmentVariable("XDG_CACHE_HOME") ?? (home && `${home}/.cache`);
  return environmentVariable("LIMNER_CACHE") ?? (caches && `${caches}/limner`);
}

/** The Hub's address: HF_ENDPOINT, or Hugging Face's own. */
export function hubEndpoint(): string {
  return environmentVariable("HF_ENDPOINT") ?? "https://huggingface.co";
}

/** Whether HF_HUB_OFFLINE, or Transformers' own variable, forbids requests. */
export function isOffline(): boolean {
  return isEnabled("HF_HUB_OFFLINE") || isEnabled("TRANSFORMERS_OFFLINE");
}

/** The token of whoever is logged in: HF_TOKEN, or what the token file holds. */
export async function hubToken(): Promise<string | undefined> {
  if (isEnabled("HF_HUB_DISABLE_IMPLICIT_TOKEN")) return undefined;
  const given = environmentVariable("HF_TOKEN") ?? environmentVariable("HUGGING_FACE_HUB_TOKEN");
  if (given) return given.replace(/[\r\n]/g, "").trim() || undefined;
  const folder = hubHome();
  const file = environmentVariable("HF_TOKEN_PATH") ?? (folder && `${folder}/token`);
  if (!file || (await Deno.permissions.query({ name: "read", path: file })).state !== "granted") return undefined;
  const text = await Deno.readTextFile(file).catch(() => "");
  return text.replace(/[\r\n]/g, "").trim() || undefined;
}

/** The proxy through which requests to an address go, and which then resolves names; undefined if there is none. */
export function proxyOf(url: URL): string | undefined {
  const either = (name: string) => environmentVariable(name) ?? environmentVariable(name.toLowerCase());
  const noProxy = (either("NO_PROXY") ?? "").split(",").map((part) => part.trim().replace(/^\*?\./, "")).filter(
    Boolean,
  );
  const host = url.hostname.toLowerCase();
  if (noProxy.some((part) => part === "*" || host === part || host.endsWith(`.${part}`))) return undefined;
  return either(url.protocol === "https:" ? "HTTPS_PROXY" : "HTTP_PROXY") ?? either("ALL_PROXY");
}
