// Models as programs: configurations, the families, and the VisionEncoderDecoder that joins two of them.
export type { Fields, PretrainedConfig } from "./config/config_reader.ts";
export type { EncoderPlaces, Family, TextDecoder, VisionEncoder } from "./family.ts";
export { buildForward, type ForwardOptions } from "./forward_program.ts";
export { type DeclaredParameter, declaredParameters, ModelParameters } from "./parameters/model_parameters.ts";
export { dropoutKey } from "./scope.ts";
export type { QuantizationRule, QuantizedStorage } from "./quantization.ts";
export { type LoraAdapter, loraNames, scalingOf } from "./lora/lora_adapter.ts";
export type { LoraOptions } from "./lora/create_adapter.ts";
export { readConfig } from "./config/read_config.ts";
export { matchWhole, readParameters } from "./parameters/read_parameters.ts";
export type { WarmStartOptions } from "./warm_start.ts";
export { decoders, defaultConfig, encoders, readSection } from "./registry.ts";
export {
  type Architecture,
  architectureOf,
  buildCrossKeysValues,
  buildDecode,
  buildEncode,
  positionsOfStep,
} from "./vision_encoder_decoder.ts";
export { VisionEncoderDecoderConfig } from "./config/vision_encoder_decoder_config.ts";
