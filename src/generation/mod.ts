// Generation: the settings, the device's buffers, and the decoding methods.
export { type GenerationConfig, generationConfigOf } from "./request/generation_config.ts";
export { decode } from "./search/decode.ts";
export type { LogitsProcessor } from "./scores/logits_processors.ts";
export type { Decoded } from "./search/sampling.ts";
export type { GenerateOptions, Generation, StoppingCriterion, Streamer, Timings } from "./request/generate_options.ts";
export { settle, type Subject } from "./request/resolve_generation.ts";
export { ModelRunner, type RunnerOptions } from "./programs/model_runner.ts";
export { Session, type SessionShape } from "./programs/session.ts";
