// The tensor program, and the interfaces that backends implement.
export * from "./attribute_key.ts";
export * from "./backend.ts";
export * from "./binding.ts";
export * from "./dimension.ts";
export * from "./graph.ts";
export * from "./leaf.ts";
export * from "./model_work.ts";
export * from "./value.ts";
export * from "./program_cache.ts";
