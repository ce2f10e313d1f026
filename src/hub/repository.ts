// Opening a model repository: a folder or a web address with files such as config.json and model.safetensors under it.
import { HubError } from "../errors.ts";
import { toPath } from "./file_path.ts";
import { openFolder } from "./folder_repository.ts";
import { HttpRepository } from "./http_repository.ts";
import type { Repository, RepositoryOptions } from "./repository_interface.ts";

export type { DownloadProgress, Repository, RepositoryOptions } from "./repository_interface.ts";
export type { ByteSource } from "./byte_source.ts";

/**
 * Open a model repository.
 *
 * @param source A folder's path, a `file:` URL of a folder, or an `http:` or `https:` base URL under which the files lie.
 * @param options Signal and progress of downloads.
 * @returns The repository; no file of it has been read yet.
 * @throws {HubError} If there is no such folder, it is a file, or the URL has another scheme.
 */
export async function openRepository(source: string | URL, options: RepositoryOptions = {}): Promise<Repository> {
  if (source instanceof URL || /^[a-z][a-z0-9+.-]+:\/\//i.test(source)) {
    const url = source instanceof URL ? source : URL.parse(source);
    if (!url) throw new HubError(`Cannot open ${source}: it is no valid address`);
    if (url.protocol === "http:" || url.protocol === "https:") {
      if (!options.localFilesOnly) return new HttpRepository(url, options);
      throw new HubError(`Cannot open ${url}: it is a web address, and localFilesOnly asks for a folder`);
    }
    if (url.protocol !== "file:") {
      throw new HubError(`Cannot open ${url}: its scheme is ${url.protocol}, expected file:, http: or https:`);
    }
  }
  return await openFolder(toPath(source));
}
