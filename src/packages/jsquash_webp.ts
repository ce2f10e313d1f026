// @jsquash/webp: libwebp in WebAssembly, and the JavaScript that Emscripten made to go with it.
export { default as startWebp } from "npm:@jsquash/webp@1.5.0/codec/dec/webp_dec.js";

/** Load the WebAssembly. */
export async function loadWebpModule(): Promise<WebAssembly.Module> {
  // @ts-ignore: TypeScript has no types for source phase imports yet. They need no permission and work over http.
  return await import.source("npm:@jsquash/webp@1.5.0/codec/dec/webp_dec.wasm");
}
