// Reading and writing checkpoints.
export { type BlockWeights, describeBlocks, scalesName, storedCodes, withBlocks } from "./block_tensors.ts";
export { Checkpoint, openCheckpoint } from "./checkpoint.ts";
export { openWeightFile } from "./open_weight_file.ts";
export { whyNoWeights } from "./missing_weights.ts";
export { parameterName } from "./parameter_names.ts";
export { readCheckpoint } from "./read_checkpoint.ts";
export { writeCheckpoint, type WriteCheckpointOptions } from "./write_checkpoint.ts";
export { type TensorSource, type WriteOptions, writeSafetensors } from "./write_safetensors.ts";
