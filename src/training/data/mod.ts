// Data to learn from: pictures and texts as batches.
export type { Augmentation, Batch, BatchOptions, DatasetOptions } from "./dataset_options.ts";
export { checkLabels, type LabelledData, type LabelledModel } from "./check_labels.ts";
export type { BrokenExample, ImageTextPair } from "./example.ts";
export { ImageTextDataset, type TrainingDataset } from "./image_text_dataset.ts";
export { ignoredLabel, type LabelOptions } from "./labels.ts";
export type { ColumnOptions } from "./read_folder.ts";
export { checkPadding } from "./unmasked_padding.ts";
