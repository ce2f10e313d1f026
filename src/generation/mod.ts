// Generation: the settings, the device's buffers, and the decoding methods.
export { generationConfigOf } from "./request/config_of_model.ts";
export type { GenerationConfig } from "./request/generation_config.ts";
export type { Generation } from "./request/generation.ts";
export { decode } from "./search/decode.ts";
export type { LogitsProcessor } from "./scores/logits_processor.ts";
export type { GenerateOutput } from "./search/generate_output.ts";
export type { GenerateOptions, StoppingCriterion, Streamer, Timings } from "./request/generate_options.ts";
export { resolveGeneration, resolvePrompts, type Subject } from "./request/resolve_generation.ts";
export { ModelRunner, type RunnerOptions } from "./programs/model_runner.ts";
export { generationBytes } from "./programs/generation_bytes.ts";
export type { PictureEncoding } from "./slots/picture_encoding.ts";
export type { SlotSession } from "./slots/slot_session.ts";
export type { SlotSessionOptions } from "./slots/slot_settings.ts";
export type { SlotRow } from "./slots/slot_row.ts";
export type { SlotStep, SlotText } from "./slots/slot_text.ts";
export { Session, type SessionShape } from "./programs/session.ts";
