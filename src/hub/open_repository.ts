// Opening a model repository, a set of files such as config.json and model.safetensors, by a folder's path, a web address, or
// a name on Hugging Face's Hub.
import { HubError, OptionError } from "../errors/mod.ts";
import { isMissing } from "./byte_source.ts";
import { toPath } from "./file_path.ts";
import { openFolder } from "./folder_repository.ts";
import { isHubName } from "./hub_name.ts";
import type { HubRepository } from "./hub_repository.ts";
import { withoutSecrets } from "./network/without_secrets.ts";
import type { Repository, RepositoryOptions } from "./repository.ts";

export type { DownloadProgress, HubOptions, Repository, RepositoryOptions } from "./repository.ts";
export type { ByteSource } from "./byte_source.ts";

/** What messages call a model's source before it is open. */
export function nameOf(source: string | URL | Pick<Repository, "name">): string {
  if (typeof source === "object" && !(source instanceof URL)) return source.name;
  const url = source instanceof URL ? source : URL.parse(source);
  return url?.protocol.startsWith("http") ? withoutSecrets(url) : String(source);
}

/**
 * Open a model repository.
 *
 * @param source A folder's path, a `file:` URL of a folder, an `http:` or `https:` base URL under which the files lie, or
 * a name on the Hub, which counts where no folder has it. One that is open already is returned.
 * @param options Signal, limits and progress of downloads; which revision of the Hub, and where its cache lies.
 * @returns The repository; no file of it has been read yet.
 * @throws {HubError} If there is no such folder, it is a file, or the URL has another scheme.
 * @throws {OptionError} If `revision` is none that git could have.
 */
export async function openRepository(
  source: string | URL | Repository,
  options: RepositoryOptions = {},
): Promise<Repository> {
  if (typeof source === "object" && !(source instanceof URL)) return source;
  if (typeof source === "string" && isHubName(source)) {
    const there = await isThere(source);
    const revised = options.revision !== undefined;
    if (!there) return await openHubRepository(source, options, { folderIsMissing: there === false && !revised });
  }
  if (options.revision !== undefined) {
    throw new OptionError(
      `Cannot load with the option "revision": ${source} is not a name on the Hub, and nothing else has revisions`,
    );
  }
  if (source instanceof URL || /^[a-z][a-z0-9+.-]+:\/\//i.test(source)) {
    const url = source instanceof URL ? source : URL.parse(source);
    if (!url) throw new HubError(`Cannot open ${source}: it is no valid address`);
    if (url.protocol === "http:" || url.protocol === "https:") {
      if (!options.localFilesOnly) {
        const { HttpRepository } = await import("./http_repository.ts");
        return new HttpRepository(url, options);
      }
      throw new HubError(`Cannot open ${url}: it is a web address, and localFilesOnly forbids requests`);
    }
    if (url.protocol !== "file:") {
      throw new HubError(`Cannot open ${url}: its scheme is ${url.protocol}, expected file:, http: or https:`);
    }
  }
  return await openFolder(toPath(source));
}

/**
 * Open a repository of the Hub, whether or not a folder has the same name.
 *
 * @param name Its name on the Hub.
 * @param sought.folderIsMissing Whether a folder of that name was sought before, and is not there: messages say so.
 * @throws {OptionError} If it cannot be the name of one, or `revision` none that git could have.
 */
export async function openHubRepository(
  name: string,
  options: RepositoryOptions = {},
  { folderIsMissing = false } = {},
): Promise<HubRepository> {
  if (!isHubName(name)) {
    throw new OptionError(`Cannot open ${name} on the Hub: expected a name such as organisation/model`);
  }
  // Imported when needed, so that a model in a folder starts without it.
  return await (await import("./hub_repository.ts")).HubRepository.create(name, { ...options, folderIsMissing });
}

/** Whether something lies under a path; undefined if that may not be seen. */
async function isThere(path: string): Promise<boolean | undefined> {
  return await Deno.stat(path).then(
    () => true,
    (error) => error instanceof Deno.errors.NotCapable ? undefined : !isMissing(error),
  );
}
