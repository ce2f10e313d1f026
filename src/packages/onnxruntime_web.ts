// onnxruntime-web: ONNX Runtime in WebAssembly. Of the package only the WebAssembly is used, and the script that starts it: what
// they export is ONNX Runtime's C API, and each start has a memory of its own.

const version = "1.30.0";

/** Computed, so that Deno downloads the package's 140 MB only for users of the wasm backend. */
export const packageName: string = ["npm:onnxruntime-web", version].join("@");

/** Load the WebAssembly. */
export async function loadOrtModule(): Promise<WebAssembly.Module> {
  // @ts-ignore: TypeScript has no types for source phase imports yet. They need no permission and work over http.
  return await import.source(`${packageName}/ort-wasm-simd-threaded.wasm`);
}

/** Load the script that starts it, as Emscripten writes it. */
export async function loadOrtStart(): Promise<(options: Readonly<Record<string, unknown>>) => Promise<unknown>> {
  return (await import(`${packageName}/ort-wasm-simd-threaded.mjs`)).default;
}
