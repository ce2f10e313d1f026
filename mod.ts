/**
 * Limner turns pictures into text in Deno: Hugging Face's VisionEncoderDecoder models, straight from their checkpoints.
 *
 * @example
 * ```ts
 * import { Captioner } from "@limner/limner";
 * import { assertEquals } from "@std/assert";
 *
 * await using captioner = await Captioner.load(); // the embedded model; or a name on the Hub, a folder, an address
 * assertEquals(await captioner.caption("assets/examples/line.png"), "ninth century Zen master");
 * ```
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
} from "./src/captioner/caption_options.ts";
export type { Confidence, WrittenToken, WrittenWord } from "./src/captioner/confidence.ts";
export { Captioner } from "./src/captioner/captioner.ts";
export { readCheckpoint } from "./src/checkpoint/mod.ts";
export type { Document } from "./src/captioner/document.ts";
export * from "./src/errors/mod.ts";
export type {
  GenerateOptions,
  GenerateOutput,
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
  DeviceName,
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
export { defaultLimits, type Limits } from "./src/limits/mod.ts";
export { availableBackends, loadBackend } from "./backends/load_backend.ts";
export { defaultConfig, type Fields, type PretrainedConfig, VisionEncoderDecoderConfig } from "./src/models/mod.ts";
export { type DataType, type NestedNumbers, Tensor, type TypedArray } from "./src/tensor/mod.ts";
export * from "./src/tokenizer/mod.ts";
export type { ForwardOutput } from "./src/model/forward.ts";
export type { ForwardInputs, TokenRows } from "./src/model/forward_inputs.ts";
export type { LoadOptions, LoadProgress } from "./src/model/load_options.ts";
export type { ImageInput } from "./src/captioner/picture_batches.ts";
export { type PushedModel, pushModel, type PushOptions, type SaveAndPushOptions } from "./src/model/push_model.ts";
export { postProcessGeneration, type PostProcessOptions } from "./src/captioner/nougat/post_process_generation.ts";
export { type PulledModel, pullModel } from "./src/captioner/pull_model.ts";
export type { SaveOptions } from "./src/model/save.ts";
export type { PromptOptions, TaskOptions } from "./src/captioner/task_prompt.ts";
export { TextStreamer, type TextStreamerOptions } from "./src/captioner/text_streamer.ts";
export { type TaggedObject, type TaggedTextOptions, type TaggedValue, token2json } from "./src/captioner/token2json.ts";
export type { LoraOptions } from "./src/models/mod.ts";
export * from "./src/training/mod.ts";
export { VisionEncoderDecoderModel } from "./src/model/vision_encoder_decoder_model.ts";
