// ONNX Runtime's C API as data: for each function its place in the OrtApi table (append-only since version 1), its
// signature for Deno, and its declaration in onnxruntime_c_api.h.

/** The version of the table that is asked for: every function used is older. */
export const apiVersion = 22;

/** The functions that are called, by name. A result of "pointer" is an OrtStatus*, null for success. */
export const functions = {
  // OrtErrorCode GetErrorCode(const OrtStatus* status)
  getErrorCode: { index: 1, parameters: ["pointer"], result: "i32" },
  // const char* GetErrorMessage(const OrtStatus* status)
  getErrorMessage: { index: 2, parameters: ["pointer"], result: "pointer" },
  // OrtStatus* DisableTelemetryEvents(const OrtEnv* env)
  disableTelemetryEvents: { index: 6, parameters: ["pointer"], result: "pointer" },
  // OrtStatus* CreateSessionFromArray(const OrtEnv*, const void* model_data, size_t model_data_length,
  //   const OrtSessionOptions*, OrtSession** out)
  createSessionFromArray: {
    index: 8,
    parameters: ["pointer", "buffer", "usize", "pointer", "buffer"],
    result: "pointer",
    nonblocking: true,
  },
  // The same, while JavaScript waits: for the models that move data on a device.
  createSmallSession: {
    index: 8,
    parameters: ["pointer", "buffer", "usize", "pointer", "buffer"],
    result: "pointer",
  },
  // OrtStatus* CreateSessionOptions(OrtSessionOptions** options)
  createSessionOptions: { index: 10, parameters: ["buffer"], result: "pointer" },
  // OrtStatus* DisableMemPattern(OrtSessionOptions* options)
  disableMemPattern: { index: 17, parameters: ["pointer"], result: "pointer" },
  // OrtStatus* DisableCpuMemArena(OrtSessionOptions* options)
  disableCpuMemArena: { index: 19, parameters: ["pointer"], result: "pointer" },
  // OrtStatus* CreateRunOptions(OrtRunOptions** out)
  createRunOptions: { index: 39, parameters: ["buffer"], result: "pointer" },
  // OrtStatus* RunOptionsSetTerminate(OrtRunOptions* options)
  runOptionsSetTerminate: { index: 46, parameters: ["pointer"], result: "pointer" },
  // OrtStatus* CreateTensorAsOrtValue(OrtAllocator*, const int64_t* shape, size_t shape_len,
  //   ONNXTensorElementDataType, OrtValue** out)
  createTensorAsOrtValue: { index: 48, parameters: ["pointer", "buffer", "usize", "i32", "buffer"], result: "pointer" },
  // OrtStatus* CreateTensorWithDataAsOrtValue(const OrtMemoryInfo*, void* p_data, size_t p_data_len,
  //   const int64_t* shape, size_t shape_len, ONNXTensorElementDataType, OrtValue** out)
  createTensorWithDataAsOrtValue: {
    index: 49,
    parameters: ["pointer", "pointer", "usize", "buffer", "usize", "i32", "buffer"],
    result: "pointer",
  },
  // OrtStatus* GetTensorMutableData(OrtValue* value, void** out)
  getTensorMutableData: { index: 51, parameters: ["pointer", "buffer"], result: "pointer" },
  // OrtStatus* CreateMemoryInfo(const char* name, enum OrtAllocatorType, int id, enum OrtMemType, OrtMemoryInfo** out)
  createMemoryInfo: { index: 68, parameters: ["buffer", "i32", "i32", "i32", "buffer"], result: "pointer" },
  // OrtStatus* CreateCpuMemoryInfo(enum OrtAllocatorType, enum OrtMemType, OrtMemoryInfo** out)
  createCpuMemoryInfo: { index: 69, parameters: ["i32", "i32", "buffer"], result: "pointer" },
  // OrtStatus* GetAllocatorWithDefaultOptions(OrtAllocator** out)
  getAllocatorWithDefaultOptions: { index: 78, parameters: ["buffer"], result: "pointer" },
  // void ReleaseEnv(OrtEnv* input)
  releaseEnv: { index: 92, parameters: ["pointer"], result: "void" },
  // void ReleaseStatus(OrtStatus* input)
  releaseStatus: { index: 93, parameters: ["pointer"], result: "void" },
  // void ReleaseMemoryInfo(OrtMemoryInfo* input)
  releaseMemoryInfo: { index: 94, parameters: ["pointer"], result: "void" },
  // void ReleaseSession(OrtSession* input)
  releaseSession: { index: 95, parameters: ["pointer"], result: "void" },
  // void ReleaseValue(OrtValue* input)
  releaseValue: { index: 96, parameters: ["pointer"], result: "void" },
  // void ReleaseRunOptions(OrtRunOptions* input)
  releaseRunOptions: { index: 97, parameters: ["pointer"], result: "void" },
  // void ReleaseSessionOptions(OrtSessionOptions* input)
  releaseSessionOptions: { index: 100, parameters: ["pointer"], result: "void" },
  // OrtStatus* CreateEnvWithGlobalThreadPools(OrtLoggingLevel, const char* logid, const OrtThreadingOptions*,
  //   OrtEnv** out)
  createEnvWithGlobalThreadPools: {
    index: 119,
    parameters: ["i32", "buffer", "pointer", "buffer"],
    result: "pointer",
    nonblocking: true,
  },
  // OrtStatus* DisablePerSessionThreads(OrtSessionOptions* options)
  disablePerSessionThreads: { index: 120, parameters: ["pointer"], result: "pointer" },
  // OrtStatus* CreateThreadingOptions(OrtThreadingOptions** out)
  createThreadingOptions: { index: 121, parameters: ["buffer"], result: "pointer" },
  // void ReleaseThreadingOptions(OrtThreadingOptions* input)
  releaseThreadingOptions: { index: 122, parameters: ["pointer"], result: "void" },
  // OrtStatus* GetAvailableProviders(char*** out_ptr, int* provider_length)
  getAvailableProviders: { index: 125, parameters: ["buffer", "buffer"], result: "pointer" },
  // OrtStatus* ReleaseAvailableProviders(char** ptr, int providers_length)
  releaseAvailableProviders: { index: 126, parameters: ["pointer", "i32"], result: "pointer" },
  // OrtStatus* AddSessionConfigEntry(OrtSessionOptions*, const char* config_key, const char* config_value)
  addSessionConfigEntry: { index: 130, parameters: ["pointer", "buffer", "buffer"], result: "pointer" },
  // OrtStatus* CreateAllocator(const OrtSession*, const OrtMemoryInfo*, OrtAllocator** out)
  createAllocator: { index: 131, parameters: ["pointer", "pointer", "buffer"], result: "pointer" },
  // void ReleaseAllocator(OrtAllocator*)
  releaseAllocator: { index: 132, parameters: ["pointer"], result: "void" },
  // OrtStatus* RunWithBinding(OrtSession*, const OrtRunOptions*, const OrtIoBinding*)
  runWithBinding: {
    index: 133,
    parameters: ["pointer", "pointer", "pointer"],
    result: "pointer",
    nonblocking: true,
  },
  // The same, while JavaScript waits.
  runSmallSession: { index: 133, parameters: ["pointer", "pointer", "pointer"], result: "pointer" },
  // OrtStatus* CreateIoBinding(OrtSession*, OrtIoBinding** out)
  createIoBinding: { index: 134, parameters: ["pointer", "buffer"], result: "pointer" },
  // void ReleaseIoBinding(OrtIoBinding* input)
  releaseIoBinding: { index: 135, parameters: ["pointer"], result: "void" },
  // OrtStatus* BindInput(OrtIoBinding*, const char* name, const OrtValue*)
  bindInput: { index: 136, parameters: ["pointer", "buffer", "pointer"], result: "pointer" },
  // OrtStatus* BindOutput(OrtIoBinding*, const char* name, const OrtValue*)
  bindOutput: { index: 137, parameters: ["pointer", "buffer", "pointer"], result: "pointer" },
  // OrtStatus* CreateAndRegisterAllocator(OrtEnv*, const OrtMemoryInfo*, const OrtArenaCfg*)
  createAndRegisterAllocator: { index: 144, parameters: ["pointer", "pointer", "pointer"], result: "pointer" },
  // OrtStatus* SetGlobalIntraOpNumThreads(OrtThreadingOptions*, int intra_op_num_threads)
  setGlobalIntraOpNumThreads: { index: 147, parameters: ["pointer", "i32"], result: "pointer" },
  // OrtStatus* SetGlobalSpinControl(OrtThreadingOptions*, int allow_spinning)
  setGlobalSpinControl: { index: 149, parameters: ["pointer", "i32"], result: "pointer" },
  // OrtStatus* AddInitializer(OrtSessionOptions*, const char* name, const OrtValue* val)
  addInitializer: { index: 150, parameters: ["pointer", "buffer", "pointer"], result: "pointer" },
  // void ReleaseArenaCfg(OrtArenaCfg*)
  releaseArenaCfg: { index: 157, parameters: ["pointer"], result: "void" },
  // OrtStatus* CreateArenaCfgV2(const char* const* keys, const size_t* values, size_t num_keys, OrtArenaCfg** out)
  createArenaCfgV2: { index: 164, parameters: ["buffer", "buffer", "usize", "buffer"], result: "pointer" },
  // OrtStatus* AddRunConfigEntry(OrtRunOptions*, const char* key, const char* value)
  addRunConfigEntry: { index: 165, parameters: ["pointer", "buffer", "buffer"], result: "pointer" },
  // OrtStatus* SynchronizeBoundInputs(OrtIoBinding*)
  synchronizeBoundInputs: { index: 202, parameters: ["pointer"], result: "pointer" },
  // OrtStatus* SynchronizeBoundOutputs(OrtIoBinding*)
  synchronizeBoundOutputs: { index: 203, parameters: ["pointer"], result: "pointer" },
  // OrtStatus* SessionOptionsAppendExecutionProvider_CUDA_V2(OrtSessionOptions*, const OrtCUDAProviderOptionsV2*)
  appendCuda: { index: 204, parameters: ["pointer", "pointer"], result: "pointer" },
  // OrtStatus* CreateCUDAProviderOptions(OrtCUDAProviderOptionsV2** out)
  createCudaProviderOptions: { index: 205, parameters: ["buffer"], result: "pointer" },
  // OrtStatus* UpdateCUDAProviderOptions(OrtCUDAProviderOptionsV2*, const char* const* keys, const char* const* values,
  //   size_t num_keys)
  updateCudaProviderOptions: { index: 206, parameters: ["pointer", "buffer", "buffer", "usize"], result: "pointer" },
  // void ReleaseCUDAProviderOptions(OrtCUDAProviderOptionsV2*)
  releaseCudaProviderOptions: { index: 208, parameters: ["pointer"], result: "void" },
  // OrtStatus* SessionOptionsAppendExecutionProvider(OrtSessionOptions*, const char* provider_name,
  //   const char* const* keys, const char* const* values, size_t num_keys)
  appendProvider: { index: 216, parameters: ["pointer", "buffer", "buffer", "buffer", "usize"], result: "pointer" },
} as const satisfies Readonly<Record<string, { index: number } & Deno.ForeignFunction>>;

/** The functions of the table, bound to a library. */
export type Api = Deno.DynamicLibrary<typeof functions>["symbols"];

/** The two functions of OrtApiBase, at offsets 0 and 8. */
export const baseFunctions = {
  // const OrtApi* GetApi(uint32_t version)
  getApi: { offset: 0, parameters: ["u32"], result: "pointer" },
  // const char* GetVersionString(void)
  getVersionString: { offset: 8, parameters: [], result: "pointer" },
} as const;

/** What the library exports, and what is found through it in the C library that it depends on. */
export const symbols = {
  // const OrtApiBase* OrtGetApiBase(void)
  OrtGetApiBase: { parameters: [], result: "pointer" },
  // int setenv(const char *name, const char *value, int overwrite)
  setenv: { parameters: ["buffer", "buffer", "i32"], result: "i32", optional: true },
  // void *calloc(size_t nmemb, size_t size)
  calloc: { parameters: ["usize", "usize"], result: "pointer", optional: true },
  // void free(void *ptr)
  free: { parameters: ["pointer"], result: "void", optional: true },
} as const satisfies Deno.ForeignLibraryInterface;
