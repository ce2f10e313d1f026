// @cf-wasm/photon: photon and the image crate in WebAssembly, and the JavaScript that draws with them.

/** Computed, so that Deno downloads the package's 2.4 MB only for users who read a GIF or BMP, or draw text. */
const packageName: string = ["npm:@cf-wasm/photon", "0.4.0"].join("@");

/** Load the WebAssembly. */
export async function loadPhotonModule(): Promise<WebAssembly.Module> {
  // @ts-ignore: TypeScript has no types for source phase imports yet. They need no permission and work over http.
  return await import.source(`${packageName}/photon.wasm`);
}

/** Load the JavaScript, to which the WebAssembly has to be passed. */
export async function loadPhoton(): Promise<typeof import("npm:@cf-wasm/photon@0.4.0/others")> {
  return await import(`${packageName}/others`);
}
