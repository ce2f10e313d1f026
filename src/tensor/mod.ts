// Data types and the host tensor.
export * from "./copy_rows.ts";
export * from "./data_type.ts";
export * from "./tensor.ts";
