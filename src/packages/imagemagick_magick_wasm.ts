// @imagemagick/magick-wasm: ImageMagick in WebAssembly, with libtiff in it.

/** The exports that are used. */
type Magick = Pick<
  typeof import("npm:@imagemagick/magick-wasm@0.0.43"),
  "ImageMagick" | "initializeImageMagick" | "MagickFormat"
>;

/** Computed, so that Deno downloads the package's 11 MB only for users who read a TIFF. */
const packageName: string = ["npm:@imagemagick/magick-wasm", "0.0.43"].join("@");

/** Load the JavaScript, to which the WebAssembly has to be passed. */
export async function loadMagick(): Promise<Magick> {
  return await import(packageName);
}

/** Load the WebAssembly. */
export async function loadMagickModule(): Promise<WebAssembly.Module> {
  // @ts-ignore: TypeScript has no types for source phase imports yet. They need no permission and work over http.
  return await import.source(`${packageName}/magick.wasm`);
}
