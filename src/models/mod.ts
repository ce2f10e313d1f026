// Models as programs: configurations, the families, and the VisionEncoderDecoder that joins two of them.
export type { Fields, PretrainedConfig } from "./config/config_reader.ts";
export type { EncoderPlaces, Family, TextDecoder, VisionEncoder } from "./family.ts";
export { buildForward, type ForwardOptions } from "./forward_program.ts";
export { type DeclaredParameter, declaredParameters, ModelParameters } from "./parameters/model_parameters.ts";
export { dropoutKey } from "./scope.ts";
export {
  type QuantizationRule,
  quantizationRules,
  quantizedParameters,
  type QuantizedStorage,
} from "./quantization.ts";
export { adapterFiles, type LoadedAdapter, readAdapter } from "./lora/adapter_file.ts";
export { type LinearLayer, linearLayers, otherModules } from "./lora/linear_layers.ts";
export { type LoraAdapter, loraNames, scalingOf } from "./lora/lora_adapter.ts";
export { mergedWeight } from "./lora/merged_weight.ts";
export { createAdapter, type LoraOptions } from "./lora/create_adapter.ts";
export { writeAdapter } from "./lora/write_adapter.ts";
export { readConfig } from "./config/read_config.ts";
export { matchWhole, readParameters } from "./parameters/read_parameters.ts";
export { resizeEmbeddings } from "./parameters/resize_embeddings.ts";
export { warmStart, type WarmStartOptions } from "./warm_start.ts";
export { decoders, defaultConfig, encoders, readSection } from "./registry.ts";
export {
  type Architecture,
  architectureOf,
  buildCrossKeysValues,
  buildDecode,
  buildEncode,
  positionsOfStep,
} from "./vision_encoder_decoder.ts";
export { workOf } from "./model_work.ts";
export { VisionEncoderDecoderConfig } from "./config/vision_encoder_decoder_config.ts";
