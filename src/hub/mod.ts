// Where models' files come from: folders, web addresses, and the Hub by name.
export { collectPieces, joinPieces } from "./network/response_body.ts";
export { type ByteSource, FileSource, MemorySource } from "./byte_source.ts";
export { isHubName } from "./hub_name.ts";
export type { Timeouts } from "./network/timeouts.ts";
export { whyMissing } from "./network/absent_files.ts";
export { isRecord, parseJson, readJson } from "./read_json.ts";
export { splitPath, toFolderPath, toPath } from "./file_path.ts";
export {
  type DownloadProgress,
  type HubOptions,
  nameOf,
  openHubRepository,
  openRepository,
  type Repository,
  type RepositoryOptions,
} from "./open_repository.ts";
