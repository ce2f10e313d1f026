// What Limner does for check_hub.py: reads files of a repository through the cache, `load_from_hub.ts CACHE ENDPOINT
// FILE...`, and prints the SHA-256 of each, or "none"; without an endpoint no request is made.
import { createHash } from "node:crypto";
import { openRepository } from "../../src/hub/mod.ts";

const [cacheDir, endpoint, ...files] = Deno.args;
const repository = await openRepository("org/name", {
  cacheDir,
  ...(endpoint ? { endpoint } : { localFilesOnly: true, endpoint: "http://127.0.0.1:9" }),
});
for (const file of files) {
  const source = await repository.open(file);
  const bytes = await source?.read(0, source.size);
  console.log(bytes ? createHash("sha256").update(bytes).digest("hex") : "none");
}
