// The protocol between a lowered model and a runtime: names, values in place, values that take turns, sessions that are
// compiled again. A backend implements `OnnxRuntime` and has programs, streams and tensors.
export { HostValue } from "./host_value.ts";
export type { CompiledSession, ParameterReader, SessionWeights } from "./compiled_session.ts";
export { OnnxProgram } from "./program.ts";
export { ProgramWeights } from "./program_weights.ts";
export type { Bindable, OnnxRuntime, RunControl, RuntimeSession, RuntimeValue, SessionBinding } from "./runtime.ts";
export { RuntimeLife } from "./runtime_life.ts";
export { RuntimeTensor } from "./runtime_tensor.ts";
export { OnnxStream } from "./stream.ts";
