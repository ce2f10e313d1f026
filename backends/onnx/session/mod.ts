// The protocol between a lowered model and a runtime: names, values in place, values that take turns, sessions that are
// compiled again. A backend implements `OnnxRuntime` and has programs, streams and tensors.
export { fillSize } from "./fill_value.ts";
export { HostValue } from "./host_value.ts";
export type { CompiledSession, ParameterReader } from "./compiled_session.ts";
export { OnnxProgram } from "./program.ts";
export { ProgramByRows } from "./program_by_rows.ts";
export type { Bindable, OnnxRuntime, RunControl, RuntimeSession, RuntimeValue, SessionBinding } from "./runtime.ts";
export { RuntimeLife } from "./runtime_life.ts";
export { RuntimeTensor } from "./runtime_tensor.ts";
export { SessionWeights } from "./session_weights.ts";
export { OnnxStream } from "./stream.ts";
