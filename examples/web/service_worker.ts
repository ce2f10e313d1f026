// The service worker: it keeps the page's own files, so that the page starts without a network. The model's files and the WebAssembly of
// libraries are kept by who uses them.
interface FetchEvent extends Event {
  readonly request: Request;
  respondWith(response: Promise<Response>): void;
}

interface Waiting extends Event {
  waitUntil(work: Promise<unknown>): void;
}

/** The page's files and a hash of them, which `deno task web` puts in. */
declare const page: { readonly hash: string; readonly files: readonly string[] };

const name = `limner-page-${page.hash}`;
const scope = self as unknown as {
  addEventListener(kind: string, listener: (event: FetchEvent & Waiting) => void): void;
  skipWaiting(): Promise<void>;
  readonly clients: { claim(): Promise<void> };
};

async function keep(): Promise<void> {
  const cache = await caches.open(name);
  await Promise.all(page.files.map(async (file) => {
    const response = await fetch(file, { cache: "no-cache" });
    if (!response.ok) throw new TypeError(`Cannot keep ${file}: the server answered ${response.status}`);
    await cache.put(file, response);
  }));
  await scope.skipWaiting();
}

/** Give up the files of earlier versions. */
async function forgetOthers(): Promise<void> {
  for (const other of await caches.keys()) {
    if (other.startsWith("limner-page-") && other !== name) await caches.delete(other);
  }
  await scope.clients.claim();
}

scope.addEventListener("install", (event) => event.waitUntil(keep()));
scope.addEventListener("activate", (event) => event.waitUntil(forgetOthers()));
scope.addEventListener("fetch", (event) => {
  if (event.request.method !== "GET" || new URL(event.request.url).origin !== location.origin) return;
  event.respondWith(
    caches.match(event.request, { ignoreSearch: event.request.mode === "navigate" }).then((kept) =>
      kept ?? fetch(event.request)
    ),
  );
});
