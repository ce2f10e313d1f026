// Where models' files come from: folders and web addresses.
export { type ByteSource, FileSource, MemorySource } from "./byte_source.ts";
export { toPath } from "./file_path.ts";
export { type DownloadProgress, openRepository, type Repository, type RepositoryOptions } from "./repository.ts";
