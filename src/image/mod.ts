// Pictures: reading them, and the image processors that make a model's input of them.
export { AutoImageProcessor, type TextFiles } from "./processor/auto_image_processor.ts";
export { createImageProcessor, type ImageProcessor, type ImageProcessorOptions } from "./processor/image_processor.ts";
export type { ProcessorSettings, ProcessorType, SizeConfig } from "./processor/processor_settings.ts";
export { type Channels, RawImage } from "./raw_image.ts";
export type { ImageSource, SourceOptions } from "./source_bytes.ts";
export { encodePng } from "./formats/encode_png.ts";
export { readImage } from "./read_image.ts";
export type { ReadImageOptions } from "./image_file.ts";
export { type Box, type Resample, resize } from "./processor/resample.ts";
