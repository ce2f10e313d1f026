// LoRA adapters, which few models have: who needs them imports them when it does.
export { type LoadedAdapter, readAdapter } from "./adapter_file.ts";
export { createAdapter } from "./create_adapter.ts";
export { type LinearLayer, linearLayers, otherModules } from "./linear_layers.ts";
export { mergedWeight } from "./merged_weight.ts";
export { writeAdapter } from "./write_adapter.ts";
