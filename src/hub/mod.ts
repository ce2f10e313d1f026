// Where models' files come from: folders and web addresses.
export { lockFolder, PendingFile, removeStaleFiles, syncFolder, writeFileAtomically } from "./atomic_file.ts";
export { type ByteSource, FileSource, MemorySource } from "./byte_source.ts";
export { whyMissing } from "./absent_files.ts";
export { isRecord, parseJson, readJson } from "./read_json.ts";
export { toFolderPath, toPath } from "./file_path.ts";
export { type DownloadProgress, openRepository, type Repository, type RepositoryOptions } from "./repository.ts";
