// Reading and writing checkpoints.
export { Checkpoint, openCheckpoint } from "./checkpoint.ts";
export { parameterName } from "./names.ts";
export type { FileRegion, ParameterInfo } from "./tensor_table.ts";
