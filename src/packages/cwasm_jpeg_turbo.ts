// @cwasm/jpeg-turbo: libjpeg-turbo in WebAssembly.

/** Load the WebAssembly. */
export async function loadJpegModule(): Promise<WebAssembly.Module> {
  // @ts-ignore: TypeScript has no types for source phase imports yet. They need no permission and work over http.
  return await import.source("npm:@cwasm/jpeg-turbo@0.1.3/jpeg-turbo.wasm");
}
