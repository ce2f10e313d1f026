// WebAssembly of the libraries, by name. It is kept with the page, so that what has been used once needs no network again.

/** The cache; the names in it say their versions. */
export const cacheName = "limner-modules";

/** Compile the file of a name. @throws {TypeError} If it is neither kept nor to be had. */
export async function compileModule(name: string): Promise<WebAssembly.Module> {
  const url = new URL(`./wasm/${name}`, import.meta.url);
  const cache = await caches.open(cacheName);
  let response = await cache.match(url);
  if (!response) {
    response = await fetch(url);
    if (!response.ok) throw new TypeError(`Cannot fetch ${url}: the server answered ${response.status}`);
    await cache.put(url, response.clone());
  }
  // A server may call it anything: compileStreaming asks for one type.
  return await WebAssembly.compile(await response.arrayBuffer());
}
