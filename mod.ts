/**
 * Limner turns pictures into text in Deno: Hugging Face's VisionEncoderDecoder models, straight from their checkpoints.
 *
 * @module
 */
export { type AttendedToken, type Attention, drawAttention } from "./src/attention/mod.ts";
export type {
  Caption,
  CaptionerLoadOptions,
  CaptionerParts,
  CaptionOptions,
  DocumentOptions,
  StreamOptions,
} from "./src/caption_options.ts";
export { Captioner } from "./src/captioner.ts";
export { readCheckpoint } from "./src/checkpoint/mod.ts";
export type { Document } from "./src/document.ts";
export * from "./src/errors.ts";
export type {
  GenerateOptions,
  GenerationConfig,
  LogitsProcessor,
  StoppingCriterion,
  Streamer,
  Timings,
} from "./src/generation/mod.ts";
export type {
  Backend,
  BackendName,
  BackendOptions,
  BackendReport,
  Counters,
  DeviceTensor,
  WeightStorage,
} from "./src/graph/mod.ts";
export type {
  ByteSource,
  DownloadProgress,
  HubOptions,
  Repository,
  RepositoryOptions,
  Timeouts,
} from "./src/hub/mod.ts";
export * from "./src/image/mod.ts";
export { availableBackends, loadBackend } from "./src/load_backend.ts";
export { defaultConfig, type PretrainedConfig, VisionEncoderDecoderConfig } from "./src/models/mod.ts";
export { type DataType, type NestedNumbers, Tensor, type TypedArray } from "./src/tensor/mod.ts";
export * from "./src/tokenizer/mod.ts";
export type { ForwardOutput } from "./src/forward.ts";
export type { ForwardInputs, TokenRows } from "./src/forward_inputs.ts";
export type { LoadOptions, LoadProgress } from "./src/load_options.ts";
export type { ImageInput } from "./src/picture_batches.ts";
export { type PushedModel, pushModel, type PushOptions, type SaveAndPushOptions } from "./src/push.ts";
export { type PulledModel, pullModel } from "./src/pull.ts";
export type { SaveOptions } from "./src/save.ts";
export type { PromptOptions, TaskOptions } from "./src/task_prompt.ts";
export { TextStreamer, type TextStreamerOptions } from "./src/text_streamer.ts";
export { type TaggedObject, type TaggedTextOptions, type TaggedValue, token2json } from "./src/token2json.ts";
export { type GenerateOutput, VisionEncoderDecoderModel } from "./src/vision_encoder_decoder_model.ts";
