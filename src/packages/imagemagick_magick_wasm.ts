// @imagemagick/magick-wasm: ImageMagick in WebAssembly, with libtiff in it.

/** What is used of it. */
type Magick = Pick<
  typeof import("npm:@imagemagick/magick-wasm@0.0.43"),
  "ImageMagick" | "initializeImageMagick" | "MagickFormat"
>;

/** Computed, so that Deno downloads the package's 11 MB for those who read a TIFF, and for nobody else. */
const packageName: string = ["npm:@imagemagick/magick-wasm", "0.0.43"].join("@");

/** Load the JavaScript, which has to be given the WebAssembly. */
export async function loadMagick(): Promise<Magick> {
  return await import(packageName);
}

/** Load the WebAssembly. */
export async function loadMagickModule(): Promise<WebAssembly.Module> {
  // @ts-ignore: TypeScript has no types for source phase imports yet. They need no permission and work over http.
  return await import.source(`${packageName}/magick.wasm`);
}
