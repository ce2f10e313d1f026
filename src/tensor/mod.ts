// Data types and the host tensor.
export * from "./data_type.ts";
export * from "./tensor.ts";
