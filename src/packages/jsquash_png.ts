// @jsquash/png: the png crate in WebAssembly, and the JavaScript that encodes with it.

/** Load the WebAssembly. */
export async function loadPngModule(): Promise<WebAssembly.Module> {
  // @ts-ignore: TypeScript has no types for source phase imports yet. They need no permission and work over http.
  return await import.source("npm:@jsquash/png@3.1.1/codec/pkg/squoosh_png_bg.wasm");
}

/** Load the JavaScript, to which the WebAssembly has to be passed. */
export async function loadPngEncoder(): Promise<typeof import("npm:@jsquash/png@3.1.1/codec/pkg/squoosh_png.js")> {
  return await import("npm:@jsquash/png@3.1.1/codec/pkg/squoosh_png.js");
}
