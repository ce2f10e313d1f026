// ONNX Runtime in WebAssembly as a runtime of ONNX models: it compiles them, and allocates values in its memory.
import type { DataType } from "../../src/tensor/mod.ts";
import type { OnnxRuntime, RunControl, RuntimeSession } from "../onnx/session/mod.ts";
import { OrtInstance } from "./ort_instance.ts";
import { fatal } from "./ort_module.ts";
import { StopFlag, WasmSession } from "./wasm_session.ts";
import { WasmValue } from "./wasm_value.ts";

/** What a session is made of. */
export interface SessionOptions {
  /** The graph's name, for messages. */
  readonly name: string;
  /** The files of external data, by their paths in the model; the session has copies of them. */
  readonly files: ReadonlyMap<string, Uint8Array>;
}

/** Sessions and values of one start of ONNX Runtime. */
export class WasmRuntime extends OrtInstance implements OnnxRuntime {
  allocate(dataType: DataType, shape: readonly number[]): WasmValue {
    this.checkOpen();
    return new WasmValue(this, dataType, shape);
  }

  allocateZeros(dataType: DataType, shape: readonly number[]): WasmValue {
    const value = this.allocate(dataType, shape);
    value.clear();
    return value;
  }

  runControl(): RunControl {
    this.checkOpen();
    return new StopFlag();
  }

  /**
   * Compile a model.
   *
   * @param bytes The ModelProto.
   * @throws {OrtError} If it does not compile.
   */
  createSession(bytes: Uint8Array, { name, files }: SessionOptions): RuntimeSession {
    this.checkOpen();
    const { ort } = this;
    const what = `compile ${name}`;
    const model = this.copy(bytes, what);
    // No optimisations: what is lowered is fused already, and their own code would have to be compiled first, which takes longer
    // than all they save. An arena, and no memory patterns: they hold memory beside that of the first run.
    const options = ort._OrtCreateSessionOptions(0, true, false, 0, false, 0, 0, fatal, 0, 0);
    try {
      const texts = ["session.use_device_allocator_for_initializers", "1"].map((text) => this.text(text));
      this.check(ort._OrtAddSessionConfigEntry(options, texts[0], texts[1]), what);
      texts.forEach((text) => ort._free(text));
      for (const [path, file] of files) ort.mountExternalData(path, file);
      const session = this.call(what, () => ort._OrtCreateSession(model, bytes.length, options));
      if (session === 0) this.fail(what);
      const size = files.values().reduce((sum, { byteLength }) => sum + byteLength, 0);
      return new WasmSession(this, session, name, size);
    } finally {
      ort.unmountExternalData();
      ort._free(model);
      ort._OrtReleaseSessionOptions(options);
    }
  }
}
