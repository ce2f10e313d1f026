// A model's folder uploaded to the Hub, with a model card that says what it was made of.
import { HubError, OptionError } from "../errors/mod.ts";
import { isHubName, toFolderPath } from "../hub/mod.ts";
import { hubEndpoint, hubToken } from "../hub/environment.ts";
import type { SaveOptions } from "./save.ts";
import { loadHubUploads } from "../packages/huggingface_hub.ts";

/** Options of uploading. */
export interface PushOptions {
  /** The token of who may write. @default HF_TOKEN, or what the token file of Hugging Face's tools holds */
  readonly token?: string;
  /** The Hub's address. @default HF_ENDPOINT, or Hugging Face's own */
  readonly endpoint?: string;
  /** The branch that is committed to. @default "main" */
  readonly revision?: string;
  /** Whether a new repository is private. @default false */
  readonly private?: boolean;
  /** The commit's message. @default "Upload model" */
  readonly message?: string;
  /** Ends the upload. */
  readonly signal?: AbortSignal;
}

/** Options of saving, and of uploading what was saved. */
export interface SaveAndPushOptions extends SaveOptions {
  /** A repository of the Hub that the folder is uploaded to when it is written; it is made if there is none. */
  readonly pushToHub?: string;
  /** How it is uploaded. */
  readonly push?: PushOptions;
}

/** What was uploaded. */
export interface PushedModel {
  /** The commit's hash. */
  readonly commit: string;
  /** The commit's page. */
  readonly url: string;
}

/**
 * Upload a folder's files to a repository of the Hub, which is made if there is none. Where the folder has no README.md, a
 * model card is written.
 *
 * @param folder The folder; names that begin with a dot, and folders in it, are left out.
 * @param name The repository's name on the Hub.
 * @throws {OptionError} If the name cannot be one.
 * @throws {HubError} If there is no token, the Hub refuses it, or cannot be reached.
 */
export async function pushModel(
  folder: string | URL,
  name: string,
  options: PushOptions = {},
): Promise<PushedModel> {
  if (!isHubName(name)) throw new OptionError(`Cannot upload to ${name}: expected a name such as organisation/model`);
  const path = toFolderPath(folder);
  const files = await filesOf(path);
  const { endpoint = hubEndpoint(), revision = "main", message = "Upload model", signal } = options;
  const token = options.token ?? await hubToken();
  const fail = (reason: string, code: HubError["code"], cause?: unknown): never => {
    throw new HubError(`Cannot upload ${path} to ${endpoint}/${name}: ${reason}`, { code, cause });
  };
  if (!token) return fail("there is no token; give one that may write (HF_TOKEN, or the option token)", "not-allowed");
  const { createRepo, uploadFiles, HubApiError } = await loadHubUploads();
  const asked = { repo: { type: "model" as const, name }, accessToken: token, hubUrl: endpoint.replace(/\/$/, "") };
  try {
    await createRepo({ ...asked, visibility: options.private ? "private" : "public" }).catch((error) => {
      if (!(error instanceof HubApiError && error.statusCode === 409)) throw error; // it is there already
    });
    const content = [...files].map(([file, content]) => ({ path: file, content }));
    const done = await uploadFiles({
      ...{ ...asked, branch: revision, commitTitle: message, files: content, useXet: false, abortSignal: signal },
    });
    // Nothing is answered only where there is nothing to commit, and there is a file at least.
    return { commit: done!.commit.oid, url: done!.commit.url };
  } catch (error) {
    if (signal?.aborted) throw error;
    const status = error instanceof HubApiError ? error.statusCode : undefined;
    const code = status === 401 || status === 403 ? "not-allowed" : status === 404 ? "not-found" : "network";
    return fail((error as Error).message, code, error);
  }
}

/** The files of a folder, and a model card if it has none. */
async function filesOf(path: string): Promise<Map<string, Blob | URL>> {
  const files = new Map<string, Blob | URL>();
  try {
    for await (const { name, isFile } of Deno.readDir(path)) {
      if (isFile && !name.startsWith(".")) files.set(name, fileUrl(await Deno.realPath(`${path}/${name}`)));
    }
  } catch (error) {
    throw new HubError(`Cannot upload ${path}: ${(error as Error).message}`, { cause: error });
  }
  if (files.size === 0) throw new HubError(`Cannot upload ${path}: it has no files`);
  if (!files.has("README.md")) files.set("README.md", new Blob([await modelCard(path)]));
  return files;
}

/** A file's URL, whatever characters its path has. */
function fileUrl(path: string): URL {
  const url = new URL("file:///");
  url.pathname = path.replaceAll("%", "%25").replaceAll("\\", "/");
  return url;
}

/** A model card: what the encoder and the decoder are, and which checkpoints they come from, as config.json says. */
async function modelCard(path: string): Promise<string> {
  const config = await Deno.readTextFile(`${path}/config.json`).then(JSON.parse).catch(() => ({}));
  const part = (name: "encoder" | "decoder") => {
    const { model_type = "unknown", _name_or_path: from } = config[name] ?? {};
    return { type: String(model_type), from: typeof from === "string" && isHubName(from) ? from : undefined };
  };
  const parts = { encoder: part("encoder"), decoder: part("decoder") };
  const bases = [parts.encoder.from, parts.decoder.from].filter((from) => from !== undefined);
  return [
    "---",
    "library_name: transformers",
    "pipeline_tag: image-to-text",
    "tags:",
    "  - vision-encoder-decoder",
    "  - limner",
    ...(bases.length > 0 ? ["base_model:", ...bases.map((from) => `  - ${from}`)] : []),
    "---",
    "",
    "# A model that turns pictures into text",
    "",
    ...(["encoder", "decoder"] as const).map((name) => {
      const { type, from } = parts[name];
      return `- ${name}: ${type}${from ? `, from [${from}](https://huggingface.co/${from})` : ""}`;
    }),
    "",
    "It was saved by Limner, and is read by Limner and by Transformers' `VisionEncoderDecoderModel`.",
    "",
  ].join("\n");
}
