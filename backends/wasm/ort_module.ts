// ONNX Runtime's WebAssembly as it is exported: the functions of its C API that are called, and Emscripten's for memory and
// text. Each start has a memory of its own, which ends with the last reference to it.
import { BackendError } from "../../src/errors/mod.ts";
import { loadOrtModule, loadOrtStart, packageName } from "../../src/packages/onnxruntime_web.ts";

/**
 * The exports. Numbers are addresses and handles, 0 for none, or error codes, 0 for success; declarations are those of
 * onnxruntime/wasm/api.h.
 */
export interface OrtModule {
  /** The memory; another array after it has grown. */
  readonly HEAPU8: Uint8Array<SharedArrayBuffer>;
  readonly HEAPU32: Uint32Array<SharedArrayBuffer>;
  _malloc(bytes: number): number;
  _free(address: number): void;
  stackSave(): number;
  stackRestore(stack: number): void;
  stackAlloc(bytes: number): number;
  UTF8ToString(address: number): string;
  lengthBytesUTF8(text: string): number;
  stringToUTF8(text: string, address: number, bytes: number): void;
  /** Let sessions that are compiled find external data at a path. */
  mountExternalData(path: string, bytes: Uint8Array): void;
  unmountExternalData(): void;
  // int OrtInit(int num_threads, int logging_level)
  _OrtInit(threads: number, logLevel: number): number;
  // int OrtGetLastError(int* error_code, const char** error_message)
  _OrtGetLastError(code: number, message: number): number;
  // OrtSessionOptions* OrtCreateSessionOptions(size_t graph_optimization_level, bool enable_cpu_mem_arena,
  //   bool enable_mem_pattern, size_t execution_mode, bool enable_profiling, const char* profile_file_prefix,
  //   const char* log_id, size_t log_severity_level, size_t log_verbosity_level, const char* optimized_model_filepath)
  _OrtCreateSessionOptions(
    optimizationLevel: number,
    arena: boolean,
    patterns: boolean,
    executionMode: number,
    profiling: boolean,
    profilePrefix: number,
    logId: number,
    logSeverity: number,
    logVerbosity: number,
    optimizedPath: number,
  ): number;
  // int OrtAddSessionConfigEntry(OrtSessionOptions*, const char* config_key, const char* config_value)
  _OrtAddSessionConfigEntry(options: number, key: number, value: number): number;
  // int OrtReleaseSessionOptions(OrtSessionOptions*)
  _OrtReleaseSessionOptions(options: number): number;
  // OrtSession* OrtCreateSession(void* data, size_t data_length, OrtSessionOptions*)
  _OrtCreateSession(data: number, bytes: number, options: number): number;
  // int OrtReleaseSession(OrtSession*)
  _OrtReleaseSession(session: number): number;
  // OrtValue* OrtCreateTensor(int data_type, void* data, size_t data_length, size_t* dims, size_t dims_length,
  //   int data_location)
  _OrtCreateTensor(
    dataType: number,
    data: number,
    bytes: number,
    lengths: number,
    rank: number,
    location: number,
  ): number;
  // int OrtReleaseTensor(OrtValue*)
  _OrtReleaseTensor(value: number): number;
  // int OrtRun(OrtSession*, const char** input_names, const OrtValue** inputs, size_t input_count,
  //   const char** output_names, size_t output_count, OrtValue** outputs, OrtRunOptions*)
  _OrtRun(
    session: number,
    inputNames: number,
    inputs: number,
    inputCount: number,
    outputNames: number,
    outputCount: number,
    outputs: number,
    runOptions: number,
  ): number;
}

/** ONNX Runtime's level of log messages "fatal": errors come back as codes and are not written to the terminal as well. */
export const fatal = 4;

/**
 * Start ONNX Runtime.
 *
 * @throws {BackendError} If the package cannot be fetched, or does not start.
 */
export async function startOrt(): Promise<OrtModule> {
  let [compiled, start]: [WebAssembly.Module?, Awaited<ReturnType<typeof loadOrtStart>>?] = [];
  try {
    [compiled, start] = await Promise.all([loadOrtModule(), loadOrtStart()]);
  } catch (error) {
    throw new BackendError(
      `Cannot load the wasm backend: ${packageName} is not to be had (${(error as Error).message}); install it with ` +
        `"deno add ${packageName}", or fetch it with "deno cache ${packageName}"`,
      "wasm",
      { cause: error },
    );
  }
  const ort = await start({
    numThreads: 1,
    instantiateWasm(imports: WebAssembly.Imports, started: (instance: WebAssembly.Instance) => void) {
      const instance = new WebAssembly.Instance(compiled, imports);
      started(instance);
      return instance.exports;
    },
  }) as OrtModule;
  const code = ort._OrtInit(1, fatal);
  if (code !== 0) throw new BackendError(`Cannot load the wasm backend: ONNX Runtime gave error ${code}`, "wasm");
  return ort;
}
