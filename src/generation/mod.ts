// Generation: the settings, the device's buffers, and the decoding methods.
export { type GenerationConfig, generationConfigOf } from "./generation_config.ts";
export { decode } from "./decode.ts";
export type { LogitsProcessor } from "./processors.ts";
export type { Decoded } from "./rows.ts";
export type { GenerateOptions, Generation, StoppingCriterion, Streamer, Timings } from "./options.ts";
export { settle, type Subject } from "./settle.ts";
export { ModelRunner, type RunnerOptions } from "./runner.ts";
export { Session, type SessionShape } from "./session.ts";
