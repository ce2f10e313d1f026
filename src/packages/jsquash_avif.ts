// @jsquash/avif: libavif in WebAssembly, and the JavaScript that Emscripten made to go with it.

/** Computed, so that Deno downloads the package only for users who read an AVIF. */
const packageName: string = ["npm:@jsquash/avif", "2.1.1"].join("@");

/** Load the JavaScript, which starts the library. */
export async function loadAvif(): Promise<typeof import("npm:@jsquash/avif@2.1.1/codec/dec/avif_dec.js").default> {
  return (await import(`${packageName}/codec/dec/avif_dec.js`)).default;
}

/** Load the WebAssembly. */
export async function loadAvifModule(): Promise<WebAssembly.Module> {
  // @ts-ignore: TypeScript has no types for source phase imports yet. They need no permission and work over http.
  return await import.source(`${packageName}/codec/dec/avif_dec.wasm`);
}
