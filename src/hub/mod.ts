// Where models' files come from: folders, web addresses, and the Hub by name.
export { lockFolder, PendingFile, removeStaleFiles, syncFolder, writeFileAtomically } from "./atomic_file.ts";
export { collectPieces, joinPieces } from "./network/response_body.ts";
export { requestFollowing } from "./network/redirects.ts";
export { type ByteSource, FileSource, MemorySource } from "./byte_source.ts";
export { hubEndpoint, hubToken, limnerCacheFolder } from "./environment.ts";
export { isHubName } from "./hub_name.ts";
export { lockFile } from "./cache/file_lock.ts";
export { type HubState, inspectHub } from "./inspect_hub.ts";
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
