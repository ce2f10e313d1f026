// The tensor program and the seam behind which backends stand.
export * from "./attribute_key.ts";
export * from "./backend.ts";
export * from "./binding.ts";
export * from "./dimension.ts";
export * from "./graph.ts";
export * from "./leaf.ts";
export * from "./value.ts";
export * from "./programs.ts";
