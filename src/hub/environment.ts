// What the environment says of the Hub: where it is, who asks, where its cache lies. What may not be read is not set.

/** A variable's value; undefined where it is not set, empty, or may not be read. */
export function variable(name: string): string | undefined {
  if (Deno.permissions.querySync({ name: "env", variable: name }).state !== "granted") return undefined;
  return Deno.env.get(name) || undefined;
}

/** Whether a variable is set to what counts as true in Python's libraries of the Hub. */
export function isSet(name: string): boolean {
  return /^(1|on|yes|true)$/i.test(variable(name) ?? "");
}

/** The folder that Hugging Face's tools keep their files in: HF_HOME, in XDG_CACHE_HOME, or in ~/.cache. */
function hubHome(): string | undefined {
  const home = variable("HOME") ?? variable("USERPROFILE");
  const caches = variable("XDG_CACHE_HOME") ?? (home && `${home}/.cache`);
  return expanded(variable("HF_HOME"), home) ?? (caches && `${caches}/huggingface`);
}

function expanded(path: string | undefined, home: string | undefined): string | undefined {
  return path && home ? path.replace(/^~(?=$|[/\\])/, home) : path;
}

/** The cache that Python uses too: HF_HUB_CACHE, or `hub` in its home. */
export function hubCacheFolder(): string | undefined {
  const home = variable("HOME") ?? variable("USERPROFILE");
  const named = variable("HF_HUB_CACHE") ?? variable("HUGGINGFACE_HUB_CACHE");
  const folder = hubHome();
  return expanded(named, home) ?? (folder && `${folder}/hub`);
}

/** The folder of Limner's own cache: LIMNER_CACHE, or `limner` beside the others'. */
export function limnerCacheFolder(): string | undefined {
  const home = variable("HOME") ?? variable("USERPROFILE");
  const caches = variable("XDG_CACHE_HOME") ?? (home && `${home}/.cache`);
  return variable("LIMNER_CACHE") ?? (caches && `${caches}/limner`);
}

/** The Hub's address: HF_ENDPOINT, or Hugging Face's own. */
export function hubEndpoint(): string {
  return variable("HF_ENDPOINT") ?? "https://huggingface.co";
}

/** Whether HF_HUB_OFFLINE, or Transformers' own variable, asks for no request. */
export function isOffline(): boolean {
  return isSet("HF_HUB_OFFLINE") || isSet("TRANSFORMERS_OFFLINE");
}

/** The token of whoever is logged in: HF_TOKEN, or what the token file holds. */
export async function hubToken(): Promise<string | undefined> {
  if (isSet("HF_HUB_DISABLE_IMPLICIT_TOKEN")) return undefined;
  const given = variable("HF_TOKEN") ?? variable("HUGGING_FACE_HUB_TOKEN");
  if (given) return given.replace(/[\r\n]/g, "").trim() || undefined;
  const folder = hubHome();
  const file = variable("HF_TOKEN_PATH") ?? (folder && `${folder}/token`);
  if (!file || (await Deno.permissions.query({ name: "read", path: file })).state !== "granted") return undefined;
  const text = await Deno.readTextFile(file).catch(() => "");
  return text.replace(/[\r\n]/g, "").trim() || undefined;
}

/** The proxy that requests to an address go through, which then resolves names in our place; undefined for none. */
export function proxyOf(url: URL): string | undefined {
  const either = (name: string) => variable(name) ?? variable(name.toLowerCase());
  const except = (either("NO_PROXY") ?? "").split(",").map((part) => part.trim().replace(/^\*?\./, "")).filter(Boolean);
  const host = url.hostname.toLowerCase();
  if (except.some((part) => part === "*" || host === part || host.endsWith(`.${part}`))) return undefined;
  return either(url.protocol === "https:" ? "HTTPS_PROXY" : "HTTP_PROXY") ?? either("ALL_PROXY");
}
