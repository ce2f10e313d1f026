// A repository that is a folder on this machine.
import { FormatError, HubError } from "../errors/mod.ts";
import { type ByteSource, FileSource, isMissing } from "./byte_source.ts";
import { refuseLfsPointer } from "./lfs_pointer.ts";
import type { Repository } from "./repository.ts";

/**
 * Open a local folder as a repository.
 *
 * @param folder The folder's path.
 * @throws {HubError} If there is no such folder, or it is a file.
 */
export async function openFolder(folder: string): Promise<Repository> {
  let info: Deno.FileInfo;
  let real: string;
  try {
    [info, real] = await Promise.all([Deno.stat(folder), Deno.realPath(folder)]);
  } catch (error) {
    const reason = isMissing(error) ? "there is no such folder" : (error as Error).message;
    throw new HubError(`Cannot open the model repository ${folder}: ${reason}`, {
      cause: error,
      ...(isMissing(error) && { code: "not-found" as const }),
    });
  }
  if (!info.isDirectory) {
    throw new HubError(`Cannot open the model repository ${folder}: it is a file, expected the folder that holds it`);
  }
  return new FolderRepository(folder, real);
}

/** The most bytes of a file that is read as a whole, such as config.json or tokenizer.json. */
export const maxWholeBytes = 256 << 20;

class FolderRepository implements Repository {
  constructor(readonly name: string, readonly folder: string) {}

  async open(file: string): Promise<ByteSource | undefined> {
    checkFileName(this.name, file);
    return await FileSource.open(`${this.name.replace(/(?<=.)[/\\]+$/, "")}/${file}`);
  }

  async readBytes(file: string): Promise<Uint8Array<ArrayBuffer> | undefined> {
    return await readWhole(await this.open(file));
  }

  async readText(file: string): Promise<string | undefined> {
    return decodeText(await this.readBytes(file), `${this.name}/${file}`);
  }

  async list(): Promise<string[]> {
    const names: string[] = [];
    for await (const { name, isDirectory } of Deno.readDir(this.name)) names.push(isDirectory ? `${name}/` : name);
    return names;
  }
}

/** Read a file as a whole. @throws {HubError} If it has more than `maxWholeBytes`. */
export async function readWhole(source: ByteSource | undefined): Promise<Uint8Array<ArrayBuffer> | undefined> {
  if (source && source.size > maxWholeBytes) {
    throw new HubError(
      `Cannot read ${source.name}: it has ${source.size} bytes, more than the ${maxWholeBytes} that such a file may have`,
    );
  }
  return await source?.read(0, source.size);
}

/** Check a file's name. @throws {HubError} If it leads out of the repository. */
export function checkFileName(repository: string, file: string): void {
  const parts = file.split("/");
  if (file !== "" && !/[\\\0]|^[A-Za-z]:/.test(file) && !parts.some((part) => ["", ".", ".."].includes(part))) return;
  throw new HubError(`Cannot open ${JSON.stringify(file)} of ${repository}: the name must lie inside the repository`);
}

/** Decode strict UTF-8; undefined stays undefined. @throws {FormatError} If it is not UTF-8, or is a Git LFS pointer. */
export function decodeText(bytes: Uint8Array | undefined, name: string): string | undefined {
  if (bytes === undefined) return undefined;
  refuseLfsPointer(bytes, name);
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (error) {
    throw new FormatError(`Cannot read ${name}: it is not UTF-8 text`, { file: name }, { cause: error });
  }
}
